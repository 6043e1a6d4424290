import { setImmediate as nextTurn } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { DataSource, type DataSourceOptions, type QueryRunner, type ReplicationMode } from 'typeorm';
import { BetterSqlite3Driver } from 'typeorm/driver/better-sqlite3/BetterSqlite3Driver.js';
import { isTransactionConflict } from './database-error.js';
import { PoolWithTimeouts } from './mysql/pool-with-timeouts.js';
import { withoutQueryTimeout } from './mysql/without-query-timeout.js';
import { serializeSqlite, sqliteUse } from './sqlite/serialized-sqlite.js';
import type { SqliteConnection } from './sqlite/sqlite-connection.js';
import { SqliteReader } from './sqlite/sqlite-reader.js';
import { assertOutsideTransaction } from './transaction-context.js';

/**
 * TypeORM's DataSource, made safe for concurrent transactions on SQLite. Where transactions are watched
 * (`watchTransactions`) it refuses, on every dialect, to open a second connection inside one. Migrations have
 * no statement timeout.
 * @see dataSourceOptions for its options
 */
export class PlutoDataSource extends DataSource {
  private readonly reader: SqliteReader | null = null;
  private readonly logs = new Logger('Database');

  constructor(options: DataSourceOptions) {
    super(options);
    if (!(this.driver instanceof BetterSqlite3Driver)) return;
    serializeSqlite(this.driver);
    this.reader = new SqliteReader(String(this.driver.options.database));
  }

  /** The pool of MySQL or MariaDB; null on SQLite, and before the first connection. */
  get pool(): PoolWithTimeouts | null {
    const { pool } = this.driver as { pool?: unknown };
    return pool instanceof PoolWithTimeouts ? pool : null;
  }

  /**
   * Reads committed rows by a plain statement, without TypeORM's overhead: for the few queries of every
   * request. Values are returned as the driver gives them: a boolean of an entity is 0 or 1.
   * @throws Error inside `Transactions.run`, and while the data source is closed
   */
  async read<Row>(sql: string, parameters: unknown[]): Promise<Row[]> {
    this.assertReady();
    const { pool } = this;
    if (pool) return pool.send<Row[]>(sql, parameters);
    try {
      if (this.reader) return this.reader.all<Row>(sql, parameters);
    } catch (error) {
      // Another process has locked the file briefly; the main connection waits for that.
      if (!isTransactionConflict(error)) throw error;
    }
    return this.query<Row[]>(sql, parameters);
  }

  /** As `read`, for one row or none. */
  async readOne<Row>(sql: string, parameters: unknown[]): Promise<Row | undefined> {
    if (!this.reader) return (await this.read<Row>(sql, parameters))[0];
    this.assertReady();
    try {
      return this.reader.first<Row>(sql, parameters);
    } catch (error) {
      if (!isTransactionConflict(error)) throw error;
      return (await this.query<Row[]>(sql, parameters))[0];
    }
  }

  /** Closes after a failed start: not a clean stop, so the -wal file is not written back. */
  async abandon(): Promise<void> {
    this.reader?.close();
    await super.destroy();
  }

  override async destroy(): Promise<void> {
    this.reader?.close();
    if (this.driver instanceof BetterSqlite3Driver && this.isInitialized) await this.foldLog(this.driver);
    await super.destroy();
  }

  /**
   * Writes SQLite's -wal file back into the database file, so that this file alone is a complete copy. libsql
   * does not do it on close. If another process has the file open, that process does it when it stops.
   */
  private async foldLog(driver: BetterSqlite3Driver): Promise<void> {
    // A released runner ends its turn only a little later.
    await nextTurn();
    // Not while a transaction is being written: then this is not a clean stop.
    if (sqliteUse(driver)?.inUse !== 0) return;
    try {
      (driver.databaseConnection as SqliteConnection).pragma('wal_checkpoint(TRUNCATE)');
    } catch (error) {
      // For example a full disk. Nothing is lost: the data stays in the -wal file.
      this.logs.warn({
        msg: 'the -wal file could not be written into the database: back up both files',
        err: error,
      });
    }
  }

  /** @throws Error inside `Transactions.run`, and while the data source is closed */
  assertReady(): void {
    assertOutsideTransaction(this);
    if (!this.isInitialized) throw new Error('the data source is closed');
  }

  /** @throws Error inside `Transactions.run`, where only its manager may be used */
  override createQueryRunner(mode?: ReplicationMode): QueryRunner {
    assertOutsideTransaction(this);
    return super.createQueryRunner(mode);
  }

  override runMigrations(
    ...options: Parameters<DataSource['runMigrations']>
  ): ReturnType<DataSource['runMigrations']> {
    return withoutQueryTimeout(this, () => super.runMigrations(...options));
  }

  override undoLastMigration(...options: Parameters<DataSource['undoLastMigration']>): Promise<void> {
    return withoutQueryTimeout(this, () => super.undoLastMigration(...options));
  }
}
