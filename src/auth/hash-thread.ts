// What runs in a thread that hashes passwords; see password-hasher.service.ts.
import { getPriority, setPriority } from 'node:os';
import { hash, matches } from './password-hash.js';

/**
 * By how much whatever else there is to do comes first: refreshes beside 50 logins at once then wait 7 ms in the middle
 * instead of 16. On Linux, where it is a thread that has a priority (setpriority(2)).
 */
const NICER_BY = 5;
const LEAST_PRIORITY = 19;
if (process.platform === 'linux') stepBack();

/** What a thread answers; a failure is told, since a thread that throws is taken for one that is broken. */
export type Answer<T> = { outcome: T; seconds: number } | { failure: string };

export const answerHash = (task: Parameters<typeof hash>[0]): Answer<string> => answer(() => hash(task));
export const answerMatch = (task: Parameters<typeof matches>[0]): Answer<boolean> =>
  answer(() => matches(task));

function answer<T>(work: () => T): Answer<T> {
  const began = performance.now();
  try {
    return { outcome: work(), seconds: (performance.now() - began) / 1000 };
  } catch (error) {
    return { failure: (error as Error).message };
  }
}

function stepBack(): void {
  try {
    setPriority(Math.min(LEAST_PRIORITY, getPriority() + NICER_BY));
  } catch {
    // Where a sandbox forbids it, all threads are equal.
  }
}
