/** Each member waits for the members after it, a fraction of a millisecond each. */
const MEMBERS_MAX = 32;

interface Member {
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Transactions on SQLite that have done their work, and are committed together with the ones that follow them. */
export class CommitGroup {
  private readonly members: Member[] = [];

  /** Whether work of others is waiting to be committed. */
  get isOpen(): boolean {
    return this.members.length > 0;
  }

  get isFull(): boolean {
    return this.members.length >= MEMBERS_MAX;
  }

  /** Resolves once the group is committed; rejects when that fails, and nothing is stored of any member. */
  join(): Promise<void> {
    return new Promise((resolve, reject) => this.members.push({ resolve, reject }));
  }

  succeed(): void {
    for (const { resolve } of this.members.splice(0)) resolve();
  }

  fail(error: unknown): void {
    for (const { reject } of this.members.splice(0)) reject(error);
  }
}
