import { setTimeout as sleep } from 'node:timers/promises';
import { runLoad, type LoadRequest, type LoadResult } from './load.js';
import type { PlutoProcess } from './pluto-process.js';

/** What a load came to, and what it took. */
export interface Measurement extends LoadResult {
  cpuMicrosPerRequest: number;
  coresUsed: number;
  peakMemoryMb: number;
}

const MEMORY_LOOK_MS = 100;
/** For what the last measurement left behind, such as hashes that nobody waits for any more. */
const SETTLE_MS = 300;

export async function measurePluto(
  server: PlutoProcess,
  load: Omit<LoadRequest, 'url'>,
): Promise<Measurement> {
  let peakMemoryMb = server.memoryMb();
  const looking = setInterval(() => {
    try {
      peakMemoryMb = Math.max(peakMemoryMb, server.memoryMb());
    } catch {
      // It has ended, which the load is about to notice.
    }
  }, MEMORY_LOOK_MS);
  try {
    const cpuBefore = server.cpuSeconds();
    const result = await runLoad({ ...load, url: server.url });
    const cpuSeconds = server.cpuSeconds() - cpuBefore;
    return {
      ...result,
      cpuMicrosPerRequest: (cpuSeconds / result.requests) * 1e6,
      coresUsed: cpuSeconds / result.seconds,
      peakMemoryMb,
    };
  } finally {
    clearInterval(looking);
  }
}

export function settle(): Promise<void> {
  return sleep(SETTLE_MS);
}
