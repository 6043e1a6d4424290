/** Stops the clock of the whole process, server included; timers go on. */
export function freezeClock(now = Date.now()): void {
  jest.useFakeTimers({
    now,
    doNotFake: [
      'hrtime',
      'nextTick',
      'performance',
      'queueMicrotask',
      'setImmediate',
      'clearImmediate',
      'setInterval',
      'clearInterval',
      'setTimeout',
      'clearTimeout',
    ],
  });
}

/** Sets the frozen clock forward. */
export function passSeconds(seconds: number): void {
  setClock(Date.now() / 1000 + seconds);
}

/** Sets the frozen clock to a time in seconds since the epoch. */
export function setClock(unixSeconds: number): void {
  jest.setSystemTime(unixSeconds * 1000);
}

export function thawClock(): void {
  jest.useRealTimers();
}
