let turn: Promise<void> | null = null;
let isTurnEnding = false;

/** Resolves when the event loop has read all that has arrived by now, and before it reads again. */
export function endOfTurn(): Promise<void> {
  turn ??= new Promise((resolve) => {
    setImmediate(() => {
      turn = null;
      isTurnEnding = true;
      resolve();
    });
    // Follows once nothing is left to do that the first one has set going.
    setImmediate(() => (isTurnEnding = false));
  });
  return turn;
}

/** Calls back at the end of the turn: at once, if that is now. */
export function atEndOfTurn(callback: () => void): void {
  if (isTurnEnding) callback();
  else void endOfTurn().then(callback);
}
