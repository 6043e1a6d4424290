import { median } from './latencies.js';
import { answersOf, startRoutes } from './limits.js';
import { runLoad } from './load.js';
import { settle } from './measurement.js';
import type { Options } from './options.js';
import type { PlutoProcess } from './pluto-process.js';
import type { Prepared } from './prepare.js';
import { tell } from './progress.js';
import type { Check } from './results.js';
import { get } from './traffic.js';

const CALL = get('/v1/token/publickey');

/** What a Nest application that does nothing else leaves of a bare Fastify route: nothing on Nest comes nearer to it. */
export async function checkFramework(
  { kind: database }: Prepared,
  server: PlutoProcess,
  options: Options,
): Promise<Check[]> {
  const { connections, seconds, rounds } = options;
  const answers = await answersOf(server.url, [CALL]);
  const urls = [await startRoutes('limit-server.js', answers), await startRoutes('limit-nest.js', answers)];
  const shares: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    tell(`${database}: Nest by itself, round ${round} of ${rounds}`);
    const rates: number[] = [];
    for (const url of urls) {
      const traffic = { kind: 'fixed' as const, calls: [CALL] };
      rates.push((await runLoad({ url, traffic, connections, seconds })).requestsPerSecond);
      await settle();
    }
    const [fastify = NaN, nest = NaN] = rates;
    // The first one warms them up.
    if (round > 0) shares.push(nest / fastify);
  }
  return [
    { database, name: 'Nest by itself, of bare Fastify', figure: median(shares), unit: 'x', details: shares },
  ];
}
