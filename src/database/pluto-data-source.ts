import { DataSource, type DataSourceOptions, type QueryRunner, type ReplicationMode } from 'typeorm';
import { BetterSqlite3Driver } from 'typeorm/driver/better-sqlite3/BetterSqlite3Driver.js';
import { withoutQueryTimeout } from './query-patience.js';
import { serializeSqlite } from './serialized-sqlite.js';
import { assertOutsideTransaction } from './transaction-context.js';

/**
 * TypeORM's DataSource, made safe for concurrent transactions on SQLite, and refusing on every dialect to open a
 * second connection from inside a transaction. Migrations may take their time.
 * @see dataSourceOptions for its options
 */
export class PlutoDataSource extends DataSource {
  constructor(options: DataSourceOptions) {
    super(options);
    if (this.driver instanceof BetterSqlite3Driver) serializeSqlite(this.driver);
  }

  /** @throws Error inside `Transactions.run`, where only the manager it hands out may be used */
  override createQueryRunner(mode?: ReplicationMode): QueryRunner {
    assertOutsideTransaction(this);
    return super.createQueryRunner(mode);
  }

  override runMigrations(
    ...options: Parameters<DataSource['runMigrations']>
  ): ReturnType<DataSource['runMigrations']> {
    return withoutQueryTimeout(() => super.runMigrations(...options));
  }

  override undoLastMigration(...options: Parameters<DataSource['undoLastMigration']>): Promise<void> {
    return withoutQueryTimeout(() => super.undoLastMigration(...options));
  }
}
