/** Each member waits for the turns after its own, a fraction of a millisecond each. */
const TURNS_MAX = 32;

interface Member {
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Transactions on SQLite that have done their work, and are committed together with the ones that follow them. */
export class CommitGroup {
  private readonly members: Member[] = [];
  private turns = 0;

  /** Whether work of others is waiting to be committed. */
  get isOpen(): boolean {
    return this.members.length > 0;
  }

  /** Whether it is time to commit, however many wait for their turn. */
  get isFull(): boolean {
    return this.turns >= TURNS_MAX;
  }

  /** Notes a transaction that the members wait for: one that is undone takes its time, too. */
  noteTurn(): void {
    this.turns++;
  }

  /** Resolves once the group is committed; rejects when that fails, and nothing is stored of any member. */
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
