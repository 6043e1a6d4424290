/** A lock handed on in the order it was asked for. */
export class FifoLock {
  private last: Promise<void> = Promise.resolve();

  /** Waits for one's turn. @returns ends the turn; calling it again does nothing */
  acquire(): Promise<() => void> {
    const previous = this.last;
    let leave!: () => void;
    this.last = new Promise((resolve) => (leave = resolve));
    return previous.then(() => leave);
  }
}
