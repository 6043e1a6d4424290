/** A lock handed on in the order it was asked for. */
export class FifoLock {
  private last: Promise<void> = Promise.resolve();
  private turnsBegun = 0;
  private turnsAsked = 0;
  private turnsEnded = 0;

  /** How many wait for their turn. */
  get waiting(): number {
    return this.turnsAsked - this.turnsBegun;
  }

  get isHeld(): boolean {
    return this.turnsBegun > this.turnsEnded;
  }

  /** Waits for one's turn. @returns ends the turn; calling it again does nothing */
  acquire(): Promise<() => void> {
    const previous = this.last;
    let leave!: () => void;
    this.last = new Promise<void>((resolve) => (leave = resolve)).then(() => void this.turnsEnded++);
    this.turnsAsked++;
    return previous.then(() => {
      this.turnsBegun++;
      return leave;
    });
  }
}
