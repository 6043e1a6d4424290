import { median } from './latencies.js';
import { measurePluto, settle } from './measurement.js';
import type { DatabaseKind, Options } from './options.js';
import { PlutoProcess } from './pluto-process.js';
import { prepare, type Prepared } from './prepare.js';
import { tell } from './progress.js';
import type { Check } from './results.js';
import { scenarioOf } from './scenarios.js';
import { checkSearch } from './search-checks.js';
import { placeIn } from './traffic.js';

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
  const load = { connections, seconds: options.seconds };
  tell(`${database}: growth, ${name}, warming up`);
  for (const side of [few, many]) await warmUp(side, name, load);
  const rounds: { few: number; many: number }[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    tell(`${database}: growth, ${name}, round ${round} of ${options.rounds}`);
    rounds.push({ few: await measure(few, name, load), many: await measure(many, name, load) });
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

type LoadOf = Pick<Options, 'connections' | 'seconds'>;

/** Until each of the calls has been sent: what a database reads for the first time comes from the disk, however large it is. */
async function warmUp(side: Side, name: string, load: LoadOf): Promise<void> {
  const traffic = side.prepared.trafficOf(name);
  do await measure(side, name, load);
  while (traffic.kind === 'fixed' && placeIn(traffic.calls) < traffic.calls.length);
}

async function measure({ prepared, server }: Side, name: string, load: LoadOf): Promise<number> {
  const { requestsPerSecond } = await measurePluto(server, { ...load, traffic: prepared.trafficOf(name) });
  await settle();
  return requestsPerSecond;
}
