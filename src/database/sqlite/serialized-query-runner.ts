import { setTimeout as sleep } from 'node:timers/promises';
import type { MutexInterface } from 'async-mutex';
import { QueryFailedError, QueryResult, QueryRunnerAlreadyReleasedError } from 'typeorm';
import { type BetterSqlite3Driver } from 'typeorm/driver/better-sqlite3/BetterSqlite3Driver.js';
import { BetterSqlite3QueryRunner } from 'typeorm/driver/better-sqlite3/BetterSqlite3QueryRunner.js';
import { nameSqliteKey } from '../constraints.js';
import { errorCode } from '../database-error.js';
import { type SqliteConnection, type SqliteStatement } from './sqlite-connection.js';
import { isInTransaction, type SqliteTurns } from './sqlite-turns.js';

const BUSY_TIMEOUT_MS = 10_000;
type QueryAnswer = ReturnType<BetterSqlite3QueryRunner['query']>;

/**
 * What a rollback must undo: nothing; a whole transaction; a savepoint inside a group's transaction; or
 * nothing because the transaction has joined a group and waits for its commit.
 */
type Work = 'none' | 'own' | 'member' | 'left';

/** TypeORM's runner for SQLite, which waits for its turn on the only connection: see `serializeSqlite`. */
export class SerializedQueryRunner extends BetterSqlite3QueryRunner {
  private turn: Promise<MutexInterface.Releaser> | undefined;
  private work: Work = 'none';
  private queriesInProgress = 0;
  private whenIdle: (() => void) | undefined;
  private hasForeignKeysOff = false;

  constructor(
    driver: BetterSqlite3Driver,
    private readonly turns: SqliteTurns,
  ) {
    super(driver);
  }

  override async connect(): Promise<SqliteConnection> {
    await (this.turn ??= this.turns.acquire());
    return (await super.connect()) as SqliteConnection;
  }

  override async query(sql: string, parameters: unknown[] = [], useStructuredResult = false): QueryAnswer {
    this.queriesInProgress++;
    try {
      return await this.queryInTurn(sql, parameters, useStructuredResult);
    } finally {
      if (--this.queriesInProgress === 0) this.whenIdle?.();
    }
  }

  override async beforeMigration(): Promise<void> {
    this.hasForeignKeysOff = true;
    await super.beforeMigration();
  }

  override async afterMigration(): Promise<void> {
    await super.afterMigration();
    this.hasForeignKeysOff = false;
  }

  /** Ends the turn and rolls back a transaction that is still open. */
  override async release(): Promise<void> {
    if (this.isReleased) return;
    this.isReleased = true;
    await super.release();
    const { turn } = this;
    if (!turn) return;
    // Not awaited: a runner released while waiting must not keep its caller waiting, only pass on its turn.
    void turn.then((leave) => this.endTurn(leave));
  }

  private async endTurn(leave: MutexInterface.Releaser): Promise<void> {
    if (this.queriesInProgress > 0) await new Promise<void>((resolve) => (this.whenIdle = resolve));
    try {
      await this.cleanConnection();
    } finally {
      leave();
    }
  }

  private async queryInTurn(sql: string, parameters: unknown[], useStructuredResult: boolean): QueryAnswer {
    if (sql === 'ROLLBACK' && this.work === 'left') return undefined;
    const connection = this.isReleased ? null : await this.connect();
    // The runner may have been released while it waited for its turn.
    if (!connection || this.isReleased) throw new QueryRunnerAlreadyReleasedError();
    if (sql === 'BEGIN TRANSACTION') return this.begin(connection);
    if (sql === 'ROLLBACK') return this.undo(connection);
    if (this.transactionDepth > 0) assertInTransaction(connection);
    if (sql === 'COMMIT') return this.commit(connection);
    // A statement outside a transaction must neither see nor join uncommitted work.
    if (this.transactionDepth === 0) await this.turns.commitGroup(connection);
    return this.send(connection, sql, parameters, useStructuredResult);
  }

  private async begin(connection: SqliteConnection): Promise<void> {
    const { statement, isMember } = this.turns.begin();
    this.work = 'none';
    await this.send(connection, statement);
    this.work = isMember ? 'member' : 'own';
  }

  private async commit(connection: SqliteConnection): Promise<void> {
    const leave = await this.turn;
    if (this.work === 'member') this.turns.merge(connection);
    // From here on the member's work is part of the group's transaction, and fails with it.
    this.work = 'own';
    await this.turns.commit(connection, () => {
      this.work = 'left';
      this.turn = undefined;
      leave?.();
    });
    if (this.work === 'own') this.work = 'none';
  }

  private undo(connection: SqliteConnection): void {
    const { work } = this;
    this.work = 'none';
    if (work === 'own' || work === 'member') this.turns.rollBack(connection, work === 'member');
  }

  private async send(
    connection: SqliteConnection,
    sql: string,
    parameters: unknown[] = [],
    useStructuredResult = false,
  ): QueryAnswer {
    const deadline = Date.now() + BUSY_TIMEOUT_MS;
    for (;;) {
      try {
        return this.execute(connection, sql, parameters, useStructuredResult);
      } catch (error) {
        const mayWait = isBusy(error) && !isInTransaction(connection) && Date.now() < deadline;
        if (!mayWait) throw this.fault(error, connection);
        // SQLite's own busy timeout would block the event loop while it waits.
        await sleep(5 + Math.random() * 20);
      }
    }
  }

  private fault(error: unknown, connection: SqliteConnection): unknown {
    if (!isInTransaction(connection)) this.turns.fail(error);
    nameSqliteKey(error, this.dataSource.entityMetadatas);
    return error;
  }

  /** Like TypeORM's, but without its slow subscriber events, which Pluto does not use. */
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
      const statement = connection.prepare(sql) as SqliteStatement;
      if (statement.reader) {
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

  private async cleanConnection(): Promise<void> {
    const connection = this.driver.databaseConnection as SqliteConnection;
    try {
      this.undo(connection);
    } catch (error) {
      this.turns.fail(error);
    }
    await this.turns.settle(connection);
    // A failed migration leaves foreign keys off for all later statements.
    if (this.hasForeignKeysOff && connection.open) connection.pragma('foreign_keys = ON');
  }
}

/**
 * SQLite rolls back by itself when the disk is full, for example; later statements would then run outside a
 * transaction.
 */
function assertInTransaction(connection: SqliteConnection): void {
  if (!isInTransaction(connection)) throw new Error('SQLite has rolled the transaction back by itself');
}

function isBusy(error: unknown): boolean {
  return errorCode(error).startsWith('SQLITE_BUSY');
}
