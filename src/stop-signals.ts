import { constants } from 'node:os';

export type StopSignal = 'SIGINT' | 'SIGTERM';

/** What a process does when it is told to stop, and when it is told so again. */
export interface Stopping {
  stop: (signal: StopSignal) => void;
  stopAtOnce: (signal: StopSignal) => void;
}

/** Ctrl-C comes twice to what `npm start` runs: from the terminal, and handed on by npm. */
const SAME_SIGNAL_MS = 500;

/** Before there is anything to finish. */
const whileStarting: Stopping = { stop: () => process.exit(0), stopAtOnce: exitBySignal };

/** Tells Pluto's own listeners from others': the module is there twice, in dist/pluto.js and in the script that it loads. */
const IS_OURS = Symbol.for('pluto.stop-signals');
type SignalListener = NodeJS.SignalsListener & { [IS_OURS]?: true };

/** To be called first: a container's process number 1 does not hear a signal that it has no handler for. */
export function listenForSignals(): void {
  whenToldToStop(whileStarting);
}

/** From now on a first and a second signal do that, and no more what was told before. */
export function whenToldToStop(stopping: Stopping): void {
  let toldAt: number | null = null;
  const hear: SignalListener = (signal) => {
    const now = performance.now();
    if (toldAt === null) {
      toldAt = now;
      stopping.stop(signal as StopSignal);
    } else if (now - toldAt > SAME_SIGNAL_MS) {
      stopping.stopAtOnce(signal as StopSignal);
    }
  };
  hear[IS_OURS] = true;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const earlier = process.listeners(signal).filter((listener: SignalListener) => listener[IS_OURS]);
    process.on(signal, hear);
    for (const listener of earlier) process.off(signal, listener);
  }
}

/** Ends the process with the exit code that shells give to a process killed by the signal. */
export function exitBySignal(signal: StopSignal): never {
  process.exit(128 + constants.signals[signal]);
}
