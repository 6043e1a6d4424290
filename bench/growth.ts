import { median } from './latencies.js';
import { measurePluto, settle } from './measurement.js';
import type { DatabaseKind, Options } from './options.js';
import { PlutoProcess } from './pluto-process.js';
import { prepare, type Prepared } from './prepare.js';
import { tell } from './progress.js';
import type { Check } from './results.js';
import { scenarioOf } from './scenarios.js';
import { checkSearch } from './search-checks.js';

interface Side {
  prepared: Prepared;
  server: PlutoProcess;
}

const FEW_ACCOUNTS = 1000;
const COMPARED = ['login', 'refresh', 'info-distinct'];
/** A hundredth of accounts and a hundred times as many: the difference that is allowed. */
const LEAST_SHARE = 0.8;

/** The same load on few accounts and on many, in turns. */
export async function checkGrowth(kind: DatabaseKind, options: Options): Promise<Check[]> {
  const chosen = COMPARED.filter((name) => options.parts.has(name));
  const few = await open(kind, FEW_ACCOUNTS, chosen);
  const many = await open(kind, options.accounts, chosen);
  const checks: Check[] = [];
  for (const name of chosen) checks.push(await compare(name, few, many, options));
  checks.push(...(await checkSearch(many.prepared, many.server)));
  await few.server.stop();
  await many.server.stop();
  return checks;
}

async function open(kind: DatabaseKind, accounts: number, scenarios: string[]): Promise<Side> {
  const prepared = await prepare(kind, { accounts, scenarios });
  const { server } = await PlutoProcess.start(prepared.env, prepared.folder);
  return { prepared, server };
}

async function compare(name: string, few: Side, many: Side, options: Options): Promise<Check> {
  const database = few.prepared.kind;
  const connections = scenarioOf(name).connections ?? options.connections;
  const rounds: { few: number; many: number }[] = [];
  for (let round = 0; round <= options.rounds; round++) {
    tell(`${database}: growth, ${name}, round ${round} of ${options.rounds}`);
    const measure = async ({ prepared, server }: Side) => {
      const traffic = prepared.trafficOf(name);
      const { requestsPerSecond } = await measurePluto(server, {
        traffic,
        connections,
        seconds: options.seconds,
      });
      await settle();
      return requestsPerSecond;
    };
    const figures = { few: await measure(few), many: await measure(many) };
    // The first one warms them up.
    if (round > 0) rounds.push(figures);
  }
  const figure = median(rounds.map((round) => round.many / round.few));
  const [before, after] = [median(rounds.map((one) => one.few)), median(rounds.map((one) => one.many))];
  return {
    database,
    name: `${name}: ${Math.round(before)}/s on ${FEW_ACCOUNTS}, ${Math.round(after)}/s on ${options.accounts}`,
    figure,
    unit: 'x',
    goal: { atLeast: LEAST_SHARE },
    details: rounds,
  };
}
