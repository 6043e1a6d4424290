import { constants } from 'node:os';

export type StopSignal = 'SIGINT' | 'SIGTERM';

/** Ctrl-C comes twice to what `npm start` runs: from the terminal, and handed on by npm. */
const SAME_SIGNAL_MS = 500;

/** Until there is something to finish. */
let stop: (signal: StopSignal) => void = () => process.exit(0);
let stoppingSince: number | null = null;

/**
 * From now on the first signal stops, and the next one ends the process. To be called first: a container's process
 * number 1 does not hear a signal that it has no handler for.
 */
export function listenForSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => hear(signal));
}

/** From now on the first signal does that. */
export function whenToldToStop(work: (signal: StopSignal) => void): void {
  stop = work;
}

function hear(signal: StopSignal): void {
  const now = performance.now();
  if (stoppingSince === null) {
    stoppingSince = now;
    stop(signal);
  } else if (now - stoppingSince > SAME_SIGNAL_MS) {
    // The exit code that shells give to a process killed by the signal.
    process.exit(128 + constants.signals[signal]);
  }
}
