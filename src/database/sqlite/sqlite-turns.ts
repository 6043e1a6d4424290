import { Mutex, type MutexInterface } from 'async-mutex';
import { QueryFailedError } from 'typeorm';
import { CommitGroup } from './commit-group.js';
import { type SqliteConnection } from './sqlite-connection.js';

/** The savepoint of one member inside a transaction shared by a group. */
const MEMBER = 'group_member';

/**
 * Grants turns on SQLite's only connection in order of request, and groups the commits of their transactions.
 *
 * Writing a commit to disk is the slowest part of a transaction. So while others wait for their turn, a
 * finished transaction leaves its commit to them: they continue as savepoints within the same SQLite
 * transaction. None is reported as committed before it is on disk.
 */
export class SqliteTurns {
  private readonly mutex = new Mutex();
  private readonly group = new CommitGroup();
  private waiting = 0;

  /** Waits for a turn. @returns ends the turn; calling it again does nothing */
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

  /** The statement that begins a transaction, and whether it is a member of an open group. */
  begin(): { statement: string; isMember: boolean } {
    const isMember = this.group.isOpen;
    if (isMember) this.group.noteTurn();
    // A deferred transaction would fail without waiting if another process wrote before its first write.
    return { statement: isMember ? `SAVEPOINT ${MEMBER}` : 'BEGIN IMMEDIATE', isMember };
  }

  /** Makes the work of a member part of its group's transaction. */
  merge(connection: SqliteConnection): void {
    connection.exec(`RELEASE ${MEMBER}`);
  }

  /**
   * Commits a transaction together with its group.
   * @param leave ends the turn, if the commit is left to a later transaction
   */
  async commit(connection: SqliteConnection, leave: () => void): Promise<void> {
    if (this.waiting === 0 || this.group.isFull) return this.commitAll(connection);
    const committed = this.group.join();
    leave();
    await committed;
  }

  /** Rolls back one transaction; the rest of its group is kept. */
  rollBack(connection: SqliteConnection, isMember: boolean): void {
    if (!isInTransaction(connection)) return;
    connection.exec(isMember && this.group.isOpen ? `ROLLBACK TO ${MEMBER}; RELEASE ${MEMBER}` : 'ROLLBACK');
  }

  /** Commits an open group; a failure rejects only the members of the group. */
  async commitGroup(connection: SqliteConnection): Promise<void> {
    if (!this.group.isOpen) return;
    await this.commitAll(connection).catch(() => {
      if (isInTransaction(connection)) connection.exec('ROLLBACK');
    });
  }

  /** Call it before a turn ends, so that no member waits for a commit that never comes. */
  async settle(connection: SqliteConnection): Promise<void> {
    if (!connection.open) return this.group.fail(new Error('the database was closed'));
    if (this.waiting === 0 || this.group.isFull) await this.commitGroup(connection);
  }

  /** SQLite has rolled back by itself, for example because the disk is full: all members have failed. */
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

/** libsql crashes the process if a closed connection is asked. */
export function isInTransaction(connection: SqliteConnection): boolean {
  return connection.open && connection.inTransaction;
}
