import { median } from './latencies.js';
import { measurePluto, settle, type Measurement } from './measurement.js';
import type { Options } from './options.js';
import { PlutoProcess } from './pluto-process.js';
import type { Prepared } from './prepare.js';
import { tell } from './progress.js';
import type { Check } from './results.js';

export const WITH_WORKERS = ['verify-distinct', 'verify-repeated'];

const LEAST_GAIN = 1.6;

/**
 * What a second process brings: here, where the load generator and MariaDB take a part of the same processors, and as far as the
 * server's own processor time goes, which is what is left where they do not.
 */
export async function checkWorkers(
  { kind: database, env, folder, trafficOf }: Prepared,
  single: PlutoProcess,
  options: Options,
): Promise<Check[]> {
  const { server: double } = await PlutoProcess.start({ ...env, WORKERS: '2' }, folder);
  await double.workersServe(2);
  const { connections, seconds } = options;
  const checks: Check[] = [];
  for (const name of WITH_WORKERS) {
    const rounds: { single: Measurement; double: Measurement }[] = [];
    for (let round = 0; round <= options.rounds; round++) {
      tell(`${database}: ${name} with two workers, round ${round} of ${options.rounds}`);
      const load = { traffic: trafficOf(name), connections, seconds };
      const one = await measurePluto(single, load);
      await settle();
      const two = await measurePluto(double, load);
      await settle();
      // The first one warms them up.
      if (round > 0) rounds.push({ single: one, double: two });
    }
    const gain = median(
      rounds.map((round) => round.double.requestsPerSecond / round.single.requestsPerSecond),
    );
    const perProcessor = median(
      rounds.map((round) => round.single.cpuMicrosPerRequest / round.double.cpuMicrosPerRequest),
    );
    const about = { database, unit: 'x' };
    const goal = { atLeast: LEAST_GAIN };
    checks.push({ ...about, name: `WORKERS=2, ${name}`, figure: gain, goal, details: rounds });
    checks.push({ ...about, name: '… on processors of their own', figure: 2 * perProcessor });
  }
  await double.stop();
  return checks;
}
