type Undoing = () => Promise<void> | void;

const undoings = new Set<Undoing>();
let undoingAll: Promise<void> | undefined;
let isAllUndone = false;

/**
 * Has something undone when the benchmark ends, however it ends; what was last begun is undone first.
 * @returns undoes it now
 */
export function undoAtEnd(undo: Undoing): () => Promise<void> {
  if (isAllUndone) void undo();
  else undoings.add(undo);
  return async () => {
    if (undoings.delete(undo)) await undo();
  };
}

/** Undoes all that is left. What fails is told and does not keep the rest from being undone. */
export function undoAll(): Promise<void> {
  return (undoingAll ??= undoEach());
}

/** Whether failures are only those of what is being stopped. */
export function isBeingStopped(): boolean {
  return undoingAll !== undefined;
}

/** Neither Ctrl-C nor an error in a callback leaves anything behind. */
export function undoOnSudden(): void {
  const endings = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
  for (const [signal, code] of Object.entries(endings)) {
    process.on(signal, () => void undoAll().then(() => process.exit(code)));
  }
  process.on('uncaughtException', (error) => {
    if (!isBeingStopped()) console.error(error);
    void undoAll().then(() => process.exit(1));
  });
}

async function undoEach(): Promise<void> {
  // Looked at anew each time: what is being started meanwhile is added.
  for (let undo = [...undoings].at(-1); undo; undo = [...undoings].at(-1)) {
    undoings.delete(undo);
    try {
      await undo();
    } catch (error) {
      console.error('could not be undone:', error);
    }
  }
  isAllUndone = true;
}
