/**
 * Calls back after a timeout, but only after input that has arrived by then was processed: when the process
 * itself was paused, timers would run before answers that are already waiting.
 * @returns cancels the callback
 */
export function deadline(ms: number, callback: () => void): () => void {
  let isCalledOff = false;
  const timer = setTimeout(() => setImmediate(() => isCalledOff || callback()), ms);
  return () => {
    isCalledOff = true;
    clearTimeout(timer);
  };
}
