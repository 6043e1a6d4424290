import { constants } from 'node:os';

export type StopSignal = 'SIGINT' | 'SIGTERM';

/** `npm start` delivers Ctrl-C twice: from the terminal, and forwarded by npm. */
const SAME_SIGNAL_MS = 500;

/** Default until `whenToldToStop` is called: there is nothing to finish yet. */
let stop: (signal: StopSignal) => void = () => process.exit(0);
let stoppingSince: number | null = null;

/**
 * From now on the first signal stops the server, and the second one exits immediately. Call it first: process
 * 1 of a container ignores signals without a handler.
 */
export function listenForSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => hear(signal));
}

/** Sets what the first signal does. */
export function whenToldToStop(work: (signal: StopSignal) => void): void {
  stop = work;
}

function hear(signal: StopSignal): void {
  const now = performance.now();
  if (stoppingSince === null) {
    stoppingSince = now;
    stop(signal);
  } else if (now - stoppingSince > SAME_SIGNAL_MS) {
    // The exit code that shells report for a process killed by the signal.
    process.exit(128 + constants.signals[signal]);
  }
}
