import { Mutex, type MutexInterface } from 'async-mutex';
import { QueryFailedError } from 'typeorm';
import { CommitGroup } from './commit-group.js';
import { type SqliteConnection } from './sqlite-connection.js';

/** Inside a transaction of SQLite: what one of several transactions that share it does. */
const MEMBER = 'group_member';

/**
 * Hands on SQLite's one connection in the order in which it is asked for, and the transactions on it.
 *
 * A commit is written to disk, which takes as long as all else in a transaction. While others wait for their turn a
 * transaction that is done leaves its commit to them: they go on as savepoints within the same transaction of SQLite.
 * None is reported as committed before it is on disk.
 */
export class SqliteTurns {
  private readonly mutex = new Mutex();
  private readonly group = new CommitGroup();
  private waiting = 0;

  /** Waits for one's turn. @returns ends the turn; calling it again does nothing */
  async acquire(): Promise<MutexInterface.Releaser> {
    this.waiting++;
    try {
      return await this.mutex.acquire();
    } finally {
      this.waiting--;
    }
  }

  get use(): { limit: number; inUse: number; idle: number; waiting: number } {
    const inUse = this.mutex.isLocked() ? 1 : 0;
    return { limit: 1, inUse, idle: 1 - inUse, waiting: this.waiting };
  }

  /** What begins a transaction, and whether it is a member of a group whose commit is due. */
  begin(): { statement: string; isMember: boolean } {
    const isMember = this.group.isOpen;
    if (isMember) this.group.noteTurn();
    // A transaction that begins as a reader fails, without waiting, if another process wrote before its first write.
    return { statement: isMember ? `SAVEPOINT ${MEMBER}` : 'BEGIN IMMEDIATE', isMember };
  }

  /** Makes the work of a member part of its group's transaction. */
  merge(connection: SqliteConnection): void {
    connection.exec(`RELEASE ${MEMBER}`);
  }

  /**
   * Commits a transaction, with those that have left it their commits.
   * @param leave ends the turn, where the commit is left to those who wait
   */
  async commit(connection: SqliteConnection, leave: () => void): Promise<void> {
    if (this.waiting === 0 || this.group.isFull) return this.commitAll(connection);
    const committed = this.group.join();
    leave();
    await committed;
  }

  /** Undoes the work of one transaction; those that have left it their commit stay. */
  rollBack(connection: SqliteConnection, isMember: boolean): void {
    if (!isInTransaction(connection)) return;
    connection.exec(isMember && this.group.isOpen ? `ROLLBACK TO ${MEMBER}; RELEASE ${MEMBER}` : 'ROLLBACK');
  }

  /** Commits what others have left to be committed. Its failure is theirs. */
  async commitGroup(connection: SqliteConnection): Promise<void> {
    if (!this.group.isOpen) return;
    await this.commitAll(connection).catch(() => {
      if (isInTransaction(connection)) connection.exec('ROLLBACK');
    });
  }

  /** To be called before a turn ends: nobody may be left waiting for a commit that nobody makes. */
  async settle(connection: SqliteConnection): Promise<void> {
    if (!connection.open) return this.group.fail(new Error('the database was closed'));
    if (this.waiting === 0 || this.group.isFull) await this.commitGroup(connection);
  }

  /** SQLite has ended the transaction by itself, as it does when the disk is full: of all members nothing is left. */
  fail(error: unknown): void {
    this.group.fail(error);
  }

  private async commitAll(connection: SqliteConnection): Promise<void> {
    try {
      await connection.commit();
    } catch (cause) {
      const error = new QueryFailedError('COMMIT', [], cause as Error);
      this.group.fail(error);
      throw error;
    }
    this.group.succeed();
  }
}

/** libsql ends the process when a closed connection is asked. */
export function isInTransaction(connection: SqliteConnection): boolean {
  return connection.open && connection.inTransaction;
}
