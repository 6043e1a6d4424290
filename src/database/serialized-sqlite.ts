import { setTimeout as sleep } from 'node:timers/promises';
import { type QueryRunner } from 'typeorm';
import { type BetterSqlite3Driver } from 'typeorm/driver/better-sqlite3/BetterSqlite3Driver.js';
import { BetterSqlite3QueryRunner } from 'typeorm/driver/better-sqlite3/BetterSqlite3QueryRunner.js';
import { nameSqliteKey } from './constraints.js';
import { errorCode } from './database-error.js';
import { FifoLock } from './fifo-lock.js';
import { type SqliteConnection, type SqliteStatement } from './sqlite-connection.js';

const busyTimeoutMs = 10_000;
type QueryAnswer = ReturnType<BetterSqlite3QueryRunner['query']>;

/** Statements are cached per connection, since one of a closed connection is useless. */
interface SharedConnection {
  readonly lock: FifoLock;
  readonly statements: WeakMap<SqliteConnection, Map<string, SqliteStatement>>;
}

/**
 * Makes TypeORM's SQLite driver safe to use from several requests at once. The driver has one connection and hands
 * the same query runner to everybody, so that statements join whatever transaction is open and transactions meet
 * inside each other (typeorm issues 1884, 8668). Here each runner is its own and has the connection to itself from
 * its first statement to its release, like a pool of size one.
 */
export function serializeSqlite(driver: BetterSqlite3Driver): void {
  const shared: SharedConnection = { lock: new FifoLock(), statements: new WeakMap() };
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

class SerializedQueryRunner extends BetterSqlite3QueryRunner {
  private turn: Promise<() => void> | undefined;
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
    const connection = (await super.connect()) as SqliteConnection;
    this.shareStatements(connection);
    return connection;
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

  /** Ends the turn. What a transaction left open has done is undone. */
  override async release(): Promise<void> {
    if (this.isReleased) return;
    this.isReleased = true;
    await super.release();
    const turn = this.turn;
    if (!turn) return;
    // Not awaited: a runner that gives up while it waits must not wait on, only pass its turn when it comes.
    void Promise.all([turn, this.inFlight]).then(([leave]) => {
      this.cleanConnection();
      leave();
    });
  }

  private async queryInTurn(sql: string, parameters: unknown[], useStructuredResult: boolean): QueryAnswer {
    if (this.isReleased) return super.query(sql, parameters, useStructuredResult);
    const connection = await this.connect();
    if (this.transactionDepth > 0 && !connection.inTransaction) {
      // As it does when the disk is full. What follows would no longer be undone by a rollback.
      throw new Error('SQLite has ended the transaction by itself');
    }
    // A transaction that begins as a reader fails, without waiting, if another process wrote before its first write.
    const statement = sql === 'BEGIN TRANSACTION' ? 'BEGIN IMMEDIATE' : sql;
    const deadline = Date.now() + busyTimeoutMs;
    for (;;) {
      try {
        return (await super.query(statement, parameters, useStructuredResult)) as unknown;
      } catch (error) {
        const mayWait = isBusy(error) && !connection.inTransaction && Date.now() < deadline;
        if (!mayWait) {
          nameSqliteKey(error, this.dataSource.entityMetadatas);
          throw error;
        }
        // SQLite's own busy timeout would stop the whole event loop for as long as it waits.
        await sleep(5 + Math.random() * 20);
      }
    }
  }

  private shareStatements(connection: SqliteConnection): void {
    const statements = this.shared.statements.get(connection) ?? new Map<string, SqliteStatement>();
    this.shared.statements.set(connection, statements);
    Object.assign(this, { stmtCache: statements });
  }

  private cleanConnection(): void {
    const connection = this.driver.databaseConnection as SqliteConnection;
    if (!connection.open) return;
    if (connection.inTransaction) connection.exec('ROLLBACK');
    // A failed migration leaves them off, which would then hold for every later statement.
    if (this.hasForeignKeysOff) connection.pragma('foreign_keys = ON');
  }
}

function isBusy(error: unknown): boolean {
  return errorCode(error).startsWith('SQLITE_BUSY');
}
