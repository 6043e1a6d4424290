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
 * TypeORM's DataSource, made safe for concurrent transactions on SQLite. Where transactions are watched (`watchTransactions`)
 * it refuses on every dialect to open a second connection from inside one. Migrations may take their time.
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

  /** The connections to MySQL or MariaDB; null on SQLite, and before the first of them. */
  get pool(): PoolWithTimeouts | null {
    const { pool } = this.driver as { pool?: unknown };
    return pool instanceof PoolWithTimeouts ? pool : null;
  }

  /**
   * Reads what is committed, by a statement as it is: for the few reads of every request, which TypeORM's runners make
   * twice as long. Values come as the driver gives them: what is a boolean to an entity is 0 or 1.
   * @throws Error inside `Transactions.run`, and while the data source is closed
   */
  async read<Row>(sql: string, parameters: unknown[]): Promise<Row[]> {
    this.assertReady();
    const { pool } = this;
    if (pool) return pool.send<Row[]>(sql, parameters);
    try {
      if (this.reader) return this.reader.all<Row>(sql, parameters);
    } catch (error) {
      // Another process has the file for itself for a moment; on the other connection that is waited for.
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

  /** Closes after a start that has failed: that is no clean stop, after which the file is to be whole. */
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
   * Writes what is in SQLite's -wal file into the database file, so that this file alone is a whole copy. libsql does
   * not do it when it closes. Another process that has the file open does it when it stops.
   */
  private async foldLog(driver: BetterSqlite3Driver): Promise<void> {
    // A runner that was released gives its turn back a little later.
    await nextTurn();
    // Not while a transaction is being written: this is not the clean stop that the file is to be whole after.
    if (sqliteUse(driver)?.inUse !== 0) return;
    try {
      (driver.databaseConnection as SqliteConnection).pragma('wal_checkpoint(TRUNCATE)');
    } catch (error) {
      // A full disk, say. Nothing is lost: the -wal file goes on to hold it.
      this.logs.warn({ msg: 'the -wal file could not be written into the database: copy both', err: error });
    }
  }

  /** @throws Error inside `Transactions.run`, and while the data source is closed */
  assertReady(): void {
    assertOutsideTransaction(this);
    if (!this.isInitialized) throw new Error('the data source is closed');
  }

  /** @throws Error inside `Transactions.run`, where only the manager it hands out may be used */
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
