import { setTimeout as sleep } from 'node:timers/promises';
import { median } from './latencies.js';
import { PlutoProcess } from './pluto-process.js';
import type { Prepared } from './prepare.js';
import { tell } from './progress.js';
import type { Check } from './results.js';

const STARTS = 5;
const REST_MS = 5000;

/** How long a start takes, and what a server holds that has nothing to do. */
export async function checkStart({ kind: database, env, folder }: Prepared): Promise<Check[]> {
  const times: number[] = [];
  const memories: number[] = [];
  for (let start = 1; start <= STARTS; start++) {
    tell(`${database}: start ${start} of ${STARTS}`);
    const { server, startedInMs } = await PlutoProcess.start(env, folder);
    times.push(startedInMs / 1000);
    if (start === STARTS) {
      await sleep(REST_MS);
      memories.push(server.memoryMb());
    }
    await server.stop();
  }
  return [
    { database, name: 'cold start', figure: median(times), unit: 's', goal: { atMost: 1.5 }, details: times },
    { database, name: 'memory at rest', figure: median(memories), unit: 'MB', goal: { atMost: 130 } },
  ];
}
