const undoings = [];

/** Registers a cleanup for the end of the benchmark, also after an error; they run in reverse order. */
export function undoAtEnd(undo) {
  undoings.push(undo);
}

export async function undoAll() {
  for (let undo = undoings.pop(); undo; undo = undoings.pop()) await undo();
}

/** Leaves no servers or files behind after Ctrl-C or an error. */
export function undoOnSignals() {
  for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143 }))
    process.once(signal, () => void undoAll().finally(() => process.exit(code)));
}
