import { setTimeout as sleep } from 'node:timers/promises';
import { QueryFailedError, QueryResult, QueryRunnerAlreadyReleasedError, type QueryRunner } from 'typeorm';
import { type BetterSqlite3Driver } from 'typeorm/driver/better-sqlite3/BetterSqlite3Driver.js';
import { BetterSqlite3QueryRunner } from 'typeorm/driver/better-sqlite3/BetterSqlite3QueryRunner.js';
import { CommitGroup } from './commit-group.js';
import { nameSqliteKey } from './constraints.js';
import { errorCode } from './database-error.js';
import { FifoLock } from './fifo-lock.js';
import { type SqliteConnection, type SqliteStatement } from './sqlite-connection.js';

const busyTimeoutMs = 10_000;
/** Those prepared first are forgotten first. */
const statementsMax = 200;
type QueryAnswer = ReturnType<BetterSqlite3QueryRunner['query']>;

interface PreparedStatement {
  readonly statement: SqliteStatement;
  readonly isReader: boolean;
}

/** Statements are kept per connection, since one of a closed connection is useless. */
interface SharedConnection {
  readonly lock: FifoLock;
  readonly group: CommitGroup;
  readonly statements: WeakMap<SqliteConnection, Map<string, PreparedStatement>>;
}

/**
 * Makes TypeORM's SQLite driver safe to use from several requests at once. The driver has one connection and hands
 * the same query runner to everybody, so that statements join whatever transaction is open and transactions meet
 * inside each other (typeorm issues 1884, 8668). Here each runner is its own and has the connection to itself from
 * its first statement to its release, like a pool of size one.
 *
 * A commit is written to disk, which takes as long as all else in a transaction. While others wait for their turn a
 * transaction that is done leaves its commit to them: they go on as savepoints within the same transaction of SQLite.
 * None is told to be committed before it is on disk.
 */
export function serializeSqlite(driver: BetterSqlite3Driver): void {
  const shared: SharedConnection = {
    lock: new FifoLock(),
    group: new CommitGroup(),
    statements: new WeakMap(),
  };
  locks.set(driver, shared.lock);
  driver.createQueryRunner = (): QueryRunner => new SerializedQueryRunner(driver, shared);
}

const locks = new WeakMap<object, FifoLock>();

/** How the one connection is used; null when the driver is not SQLite's. */
export function sqliteUse(
  driver: object,
): { limit: number; inUse: number; idle: number; waiting: number } | null {
  const lock = locks.get(driver);
  if (!lock) return null;
  const inUse = lock.isHeld ? 1 : 0;
  return { limit: 1, inUse, idle: 1 - inUse, waiting: lock.waiting };
}

/** What a transaction does that the ones before it have left their commit to. */
const MEMBER = 'group_member';

export class SerializedQueryRunner extends BetterSqlite3QueryRunner {
  private turn: Promise<() => void> | undefined;
  private isMember = false;
  /** Whether its commit is left to others: there is nothing of its own left to undo. */
  private hasLeftCommit = false;
  private inFlight: Promise<unknown> = Promise.resolve();
  private hasForeignKeysOff = false;

  constructor(
    driver: BetterSqlite3Driver,
    private readonly shared: SharedConnection,
  ) {
    super(driver);
  }

  override async connect(): Promise<SqliteConnection> {
    await (this.turn ??= this.shared.lock.acquire());
    return (await super.connect()) as SqliteConnection;
  }

  override async query(sql: string, parameters: unknown[] = [], useStructuredResult = false): QueryAnswer {
    const query = this.queryInTurn(sql, parameters, useStructuredResult);
    this.inFlight = Promise.allSettled([this.inFlight, query]);
    return query;
  }

  override async beforeMigration(): Promise<void> {
    this.hasForeignKeysOff = true;
    await super.beforeMigration();
  }

  override async afterMigration(): Promise<void> {
    await super.afterMigration();
    this.hasForeignKeysOff = false;
  }

  /**
   * Sends a statement of the transaction that has begun, without the promises of `query`, which take as long as the statement.
   * @returns how many rows it has found to change
   */
  changeNow(sql: string, parameters: unknown[]): number {
    const connection = this.driver.databaseConnection as SqliteConnection;
    if (this.isReleased || !this.turn) throw new QueryRunnerAlreadyReleasedError();
    if (this.transactionDepth === 0) throw new Error('there is no transaction');
    assertInTransaction(connection);
    try {
      return (this.execute(connection, sql, parameters, true) as QueryResult).affected ?? 0;
    } catch (error) {
      throw this.fault(error, connection);
    }
  }

  /** Ends the turn. What a transaction left open has done is undone. */
  override async release(): Promise<void> {
    if (this.isReleased) return;
    this.isReleased = true;
    await super.release();
    const turn = this.turn;
    if (!turn) return;
    // Not awaited: a runner that gives up while it waits must not wait on, only pass its turn when it comes.
    void Promise.all([turn, this.inFlight]).then(async ([leave]) => {
      try {
        await this.cleanConnection();
      } finally {
        leave();
      }
    });
  }

  private async queryInTurn(sql: string, parameters: unknown[], useStructuredResult: boolean): QueryAnswer {
    if (sql === 'ROLLBACK' && this.hasLeftCommit) return undefined;
    const connection = this.isReleased ? null : await this.connect();
    // It may have been while it waited for its turn.
    if (!connection || this.isReleased) throw new QueryRunnerAlreadyReleasedError();
    if (this.transactionDepth > 0) assertInTransaction(connection);
    if (sql === 'BEGIN TRANSACTION') return this.begin(connection);
    if (sql === 'COMMIT') return this.commit(connection);
    if (sql === 'ROLLBACK' && this.isMember && this.shared.group.isOpen) return this.undoMember(connection);
    // A statement beside any transaction is not to see, nor to be part of, what is not committed.
    if (this.transactionDepth === 0) await this.commitGroup(connection);
    return this.send(connection, sql, parameters, useStructuredResult);
  }

  private async begin(connection: SqliteConnection): Promise<void> {
    const { group } = this.shared;
    this.hasLeftCommit = false;
    const isMember = group.isOpen;
    // A transaction that begins as a reader fails, without waiting, if another process wrote before its first write.
    await this.send(connection, isMember ? `SAVEPOINT ${MEMBER}` : 'BEGIN IMMEDIATE');
    this.isMember = isMember;
    if (isMember) group.noteTurn();
  }

  private async commit(connection: SqliteConnection): Promise<void> {
    const { lock, group } = this.shared;
    if (this.isMember) await this.send(connection, `RELEASE ${MEMBER}`);
    this.isMember = false;
    if (lock.waiting === 0 || group.isFull) return this.commitAll(connection);
    const committed = group.join();
    this.hasLeftCommit = true;
    const leave = await this.turn;
    this.turn = undefined;
    leave?.();
    await committed;
  }

  private async undoMember(connection: SqliteConnection): Promise<void> {
    await this.send(connection, `ROLLBACK TO ${MEMBER}`);
    await this.send(connection, `RELEASE ${MEMBER}`);
    this.isMember = false;
  }

  private async send(
    connection: SqliteConnection,
    statement: string,
    parameters: unknown[] = [],
    useStructuredResult = false,
  ): QueryAnswer {
    const deadline = Date.now() + busyTimeoutMs;
    for (;;) {
      try {
        return this.execute(connection, statement, parameters, useStructuredResult);
      } catch (error) {
        const mayWait = isBusy(error) && !isInTransaction(connection) && Date.now() < deadline;
        if (!mayWait) throw this.fault(error, connection);
        // SQLite's own busy timeout would stop the whole event loop for as long as it waits.
        await sleep(5 + Math.random() * 20);
      }
    }
  }

  private fault(error: unknown, connection: SqliteConnection): unknown {
    // As it is when the disk is full: what was left to be committed with it is undone, too.
    if (!isInTransaction(connection)) this.shared.group.fail(error);
    nameSqliteKey(error, this.dataSource.entityMetadatas);
    return error;
  }

  /** Commits what others have left to be committed. Its failure is theirs. */
  private async commitGroup(connection: SqliteConnection): Promise<void> {
    if (!this.shared.group.isOpen) return;
    await this.commitAll(connection).catch(() => {
      if (isInTransaction(connection)) connection.exec('ROLLBACK');
    });
  }

  private async commitAll(connection: SqliteConnection): Promise<void> {
    const { group } = this.shared;
    try {
      await connection.commit();
    } catch (cause) {
      const error = new QueryFailedError('COMMIT', [], cause as Error);
      group.fail(error);
      throw error;
    }
    group.succeed();
  }

  /** As TypeORM does it, without its subscribers, which nobody is: with them a statement takes half as long again. */
  private execute(
    connection: SqliteConnection,
    sql: string,
    parameters: unknown[],
    useStructuredResult: boolean,
  ): unknown {
    const { logger } = this.dataSource;
    logger.logQuery(sql, parameters, this);
    const result = new QueryResult();
    try {
      const { statement, isReader } = this.prepare(connection, sql);
      if (isReader) {
        result.raw = result.records = statement.all(...parameters);
      } else {
        const { changes, lastInsertRowid } = statement.run(...parameters);
        result.affected = changes;
        result.raw = lastInsertRowid;
      }
    } catch (error) {
      logger.logQueryError(error as Error, sql, parameters, this);
      throw new QueryFailedError(sql, parameters, error as Error);
    }
    return useStructuredResult ? result : result.raw;
  }

  private prepare(connection: SqliteConnection, sql: string): PreparedStatement {
    const known = this.shared.statements.get(connection) ?? new Map<string, PreparedStatement>();
    this.shared.statements.set(connection, known);
    const found = known.get(sql);
    if (found) return found;
    const statement = connection.prepare(sql) as SqliteStatement;
    const prepared = { statement, isReader: statement.reader };
    known.set(sql, prepared);
    if (known.size > statementsMax) known.delete(known.keys().next().value!);
    return prepared;
  }

  private async cleanConnection(): Promise<void> {
    const { lock, group } = this.shared;
    const connection = this.driver.databaseConnection as SqliteConnection;
    if (!connection.open) return group.fail(new Error('the database was closed'));
    try {
      if (this.isMember && group.isOpen) connection.exec(`ROLLBACK TO ${MEMBER}; RELEASE ${MEMBER}`);
    } catch (error) {
      group.fail(error);
    }
    if (lock.waiting === 0 || group.isFull) await this.commitGroup(connection);
    if (!group.isOpen && isInTransaction(connection)) connection.exec('ROLLBACK');
    // A failed migration leaves them off, which would then hold for every later statement.
    if (this.hasForeignKeysOff && connection.open) connection.pragma('foreign_keys = ON');
  }
}

/** libsql ends the process when a closed connection is asked. */
function isInTransaction(connection: SqliteConnection): boolean {
  return connection.open && connection.inTransaction;
}

/** It may have, as when the disk is full. What follows would no longer be undone by a rollback. */
function assertInTransaction(connection: SqliteConnection): void {
  if (!isInTransaction(connection)) throw new Error('SQLite has ended the transaction by itself');
}

function isBusy(error: unknown): boolean {
  return errorCode(error).startsWith('SQLITE_BUSY');
}
