import { median } from './latencies.js';
import { runLoad, type LoadResult } from './load.js';
import { settle } from './measurement.js';
import type { Options } from './options.js';
import { runPacedLoad } from './paced-load.js';
import type { PlutoProcess } from './pluto-process.js';
import type { Prepared } from './prepare.js';
import { tell } from './progress.js';
import type { Check, ScenarioResult } from './results.js';
import { scenarioOf } from './scenarios.js';

export const PACED = ['verify-distinct', 'info-distinct', 'refresh', 'login'];
export const LOGINS_AND_REFRESH = ['login', 'refresh'];

const SHARE_OF_MOST = 0.8;
const WORST_SPREAD = 5;
/** Of the pace, that is answered by the end. */
const LEAST_KEPT_UP = 0.9;
const PARALLEL_LOGINS = 50;
const REFRESHES_PER_SECOND = 20;
const REFRESH_P99_MS = 50;

/** Latencies where there is some air: at 80 % of what the server has just been measured to do at most. */
export async function checkPaced(
  { kind: database, trafficOf }: Prepared,
  server: PlutoProcess,
  options: Options,
  measured: ScenarioResult[],
): Promise<Check[]> {
  const checks: Check[] = [];
  for (const name of PACED) {
    const traffic = trafficOf(name);
    const most =
      measured.find((result) => result.name === name)?.requestsPerSecond ??
      (await mostOf(name, server, traffic, options));
    const perSecond = most * SHARE_OF_MOST;
    const rounds = [];
    for (let round = 0; round <= options.rounds; round++) {
      tell(`${database}: ${name} at ${Math.round(perSecond)}/s, round ${round} of ${options.rounds}`);
      await settle();
      const result = await runPacedLoad({ url: server.url, traffic, perSecond, seconds: options.seconds });
      // The first one warms them up: at an even pace little comes together, which goes other ways than a full load.
      if (round > 0) rounds.push(result);
    }
    const p50Ms = median(rounds.map((round) => round.p50Ms));
    const p99Ms = median(rounds.map((round) => round.p99Ms));
    const spread = median(rounds.map((round) => spreadOf(round, perSecond)));
    const overrun = Number.isFinite(spread) ? '' : ', overrun';
    const about = `${name} at 80 %: p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms${overrun}`;
    const details = { perSecond, p50Ms, p99Ms, rounds };
    checks.push({
      database,
      name: about,
      figure: spread,
      unit: 'x',
      goal: { atMost: WORST_SPREAD },
      details,
    });
  }
  return checks;
}

/** Where the server falls behind, all latencies grow alike and say nothing about their spread. */
function spreadOf({ requestsPerSecond, p50Ms, p99Ms }: LoadResult, perSecond: number): number {
  return requestsPerSecond < perSecond * LEAST_KEPT_UP ? Infinity : p99Ms / p50Ms;
}

/** Refreshes must not wait behind the hashes of those who log in. */
export async function checkRefreshDuringLogins(
  { kind: database, trafficOf }: Prepared,
  server: PlutoProcess,
  options: Options,
): Promise<Check[]> {
  const seconds = options.seconds * options.rounds;
  tell(`${database}: refreshes during ${PARALLEL_LOGINS} parallel logins, ${seconds} s`);
  await settle();
  const [logins, refreshes] = await Promise.all([
    runLoad({ url: server.url, traffic: trafficOf('login'), connections: PARALLEL_LOGINS, seconds }),
    runPacedLoad({
      url: server.url,
      traffic: trafficOf('refresh'),
      perSecond: REFRESHES_PER_SECOND,
      seconds,
    }),
  ]);
  const name = `refresh during ${PARALLEL_LOGINS} logins: p50 ${refreshes.p50Ms.toFixed(1)} ms, p99`;
  const goal = { atMost: REFRESH_P99_MS };
  return [{ database, name, figure: refreshes.p99Ms, unit: 'ms', goal, details: { logins, refreshes } }];
}

async function mostOf(
  name: string,
  { url }: PlutoProcess,
  traffic: Parameters<typeof runLoad>[0]['traffic'],
  { connections, seconds }: Options,
): Promise<number> {
  const load = { url, traffic, connections: scenarioOf(name).connections ?? connections, seconds };
  await runLoad(load);
  return (await runLoad(load)).requestsPerSecond;
}
