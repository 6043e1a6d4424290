const undoings = [];

/** Has something undone when the benchmark ends, however it ends; what was begun last is undone first. */
export function undoAtEnd(undo) {
  undoings.push(undo);
}

export async function undoAll() {
  for (let undo = undoings.pop(); undo; undo = undoings.pop()) await undo();
}

/** Neither Ctrl-C nor an error leaves servers or files behind. */
export function undoOnSignals() {
  for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143 }))
    process.once(signal, () => void undoAll().finally(() => process.exit(code)));
}
