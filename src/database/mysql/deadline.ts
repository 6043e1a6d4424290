/**
 * Calls back when the time is over, after whatever has arrived by then was dealt with: when the process itself has
 * paused, timers come before the answers that lie waiting.
 * @returns calls it off
 */
export function deadline(ms: number, callback: () => void): () => void {
  let isCalledOff = false;
  const timer = setTimeout(() => setImmediate(() => isCalledOff || callback()), ms);
  return () => {
    isCalledOff = true;
    clearTimeout(timer);
  };
}
