/** Bounds the time a member waits, since its commit follows the turns after its own. */
const TURNS_MAX = 32;

interface Member {
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * SQLite transactions whose work is done, to be committed together with the transactions that follow them.
 */
export class CommitGroup {
  private readonly members: Member[] = [];
  private turns = 0;

  /** Whether members are waiting for their commit. */
  get isOpen(): boolean {
    return this.members.length > 0;
  }

  /** Whether to commit now, even if others are waiting for their turn. */
  get isFull(): boolean {
    return this.turns >= TURNS_MAX;
  }

  /** Counts a turn that the members wait for, whether or not its transaction succeeds. */
  noteTurn(): void {
    this.turns++;
  }

  /** Resolves once the group is committed; rejects if the commit fails, and then no member is stored. */
  join(): Promise<void> {
    return new Promise((resolve, reject) => this.members.push({ resolve, reject }));
  }

  succeed(): void {
    this.turns = 0;
    for (const { resolve } of this.members.splice(0)) resolve();
  }

  fail(error: unknown): void {
    this.turns = 0;
    for (const { reject } of this.members.splice(0)) reject(error);
  }
}
