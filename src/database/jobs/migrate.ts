import { type DataSource } from 'typeorm';
import { InvalidSettings } from '../../config/invalid-settings.js';
import { isDatabaseUnavailable } from '../database-error.js';
import { withLease } from './lease.js';

/**
 * Brings the database's schema up to date. Instances that start concurrently do it one after the other; only
 * the first has anything to do.
 * @returns the names of the migrations that were run
 * @throws Error when the MySQL database has the wrong collation and it cannot be changed automatically
 * @throws LeaseUnavailable when another instance is still migrating after ten minutes
 */
export async function runMigrations(dataSource: DataSource): Promise<string[]> {
  return withLease(
    dataSource,
    'migrations',
    async () => {
      if (dataSource.options.type !== 'better-sqlite3') await ensureBinaryCollation(dataSource);
      const migrations = await dataSource.runMigrations();
      return migrations.map(({ name }) => name);
    },
    { leaseSeconds: 60, waitSeconds: 600 },
  );
}

/** Whether this database has pending migrations. Changes nothing. */
export async function pendingMigrations(dataSource: DataSource): Promise<boolean> {
  const done = await doneMigrations(dataSource);
  return dataSource.migrations.some((migration) => !done?.has(nameOf(migration)));
}

/** Whether Pluto has ever migrated this database. Changes nothing. */
export async function isPlutoDatabase(dataSource: DataSource): Promise<boolean> {
  const done = await doneMigrations(dataSource);
  return dataSource.migrations.some((migration) => done?.has(nameOf(migration)));
}

/** The names of the migrations that were run, also by later versions; null before the first one. */
async function doneMigrations(dataSource: DataSource): Promise<Set<string> | null> {
  const runner = dataSource.createQueryRunner();
  try {
    if (!(await runner.hasTable('migrations'))) return null;
    const rows = (await runner.query('SELECT name FROM migrations')) as { name: string }[];
    return new Set(rows.map(({ name }) => name));
  } finally {
    await runner.release();
  }
}

function nameOf({ name, constructor }: DataSource['migrations'][number]): string {
  return name ?? constructor.name;
}

const alterCollation = 'ALTER DATABASE CHARACTER SET utf8mb4 COLLATE utf8mb4_bin';

/**
 * Tables get the database's default collation, and MySQL's defaults treat `A` as `a` and `é` as `e`: tokens,
 * codes and keys would match others that only look alike.
 */
async function ensureBinaryCollation(dataSource: DataSource): Promise<void> {
  const [database] = await dataSource.query<{ name: string; collation: string }[]>(
    'SELECT schema_name AS name, default_collation_name AS collation ' +
      'FROM information_schema.schemata WHERE schema_name = DATABASE()',
  );
  if (!database || database.collation === 'utf8mb4_bin') return;
  const foreignTables = await dataSource.query<{ name: string }[]>(
    'SELECT table_name AS name FROM information_schema.tables ' +
      "WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND table_collation <> 'utf8mb4_bin'",
  );
  const advice =
    `The database ${database.name} has the collation ${database.collation}, but Pluto requires utf8mb4_bin. ` +
    `Create a separate database for Pluto: CREATE DATABASE … CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`;
  if (foreignTables.length > 0) {
    throw new InvalidSettings([
      `DATABASE_URL: ${advice} (it holds other tables: ${foreignTables.map(({ name }) => name).join(', ')})`,
    ]);
  }
  try {
    await dataSource.query(alterCollation);
  } catch (error) {
    if (isDatabaseUnavailable(error)) throw error;
    throw new InvalidSettings([
      `DATABASE_URL: ${advice}, or let an administrator run in it: ${alterCollation}`,
    ]);
  }
}
