import { setTimeout as sleep } from 'node:timers/promises';

/** Timeout; generous, since a machine that runs everything concurrently may be slow. */
const PATIENCE_MS = 30_000;

/** Waits, by a clock that `freezeClock` does not stop, until the condition holds. */
export async function eventually<T>(
  look: () => T | Promise<T>,
  what = 'what was waited for',
  patienceMs = PATIENCE_MS,
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found) return found as NonNullable<Exclude<T, false>>;
    if (performance.now() > deadline) throw new Error(`${what} did not happen within ${patienceMs} ms`);
    await sleep(10);
  }
}
