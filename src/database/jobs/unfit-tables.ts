import { type DataSource } from 'typeorm';
import { InvalidSettings } from '../../config/invalid-settings.js';

/** Created before the first migration, by an instance that starts concurrently. */
const LEASES = 'leases';
const MIGRATIONS = 'migrations';

/**
 * Checks that the tables are Pluto's before any is created or changed.
 * @param mayCreate whether an empty database is acceptable
 * @throws InvalidSettings for tables of another program, and for none unless they may be created
 */
export async function refuseUnfitTables(dataSource: DataSource, mayCreate: boolean): Promise<void> {
  const tables = await listTables(dataSource);
  if (!tables.includes(MIGRATIONS)) return refuseTables(tables, mayCreate);
  const done = await doneMigrations(dataSource);
  // Those of a later version may be among them: during an upgrade two versions use one database.
  const known = new Set(dataSource.migrations.map(({ name, constructor }) => name ?? constructor.name));
  if (done.length > 0 && !done.some((name) => known.has(name))) refuseForeign(done);
}

function refuseTables(tables: string[], mayCreate: boolean): void {
  const foreign = tables.filter((name) => name !== LEASES);
  if (foreign.length > 0) refuseForeign(foreign);
  if (!mayCreate) {
    throw new InvalidSettings([
      'DATABASE_URL names an empty database: only the server fills it; start it once, or use its settings',
    ]);
  }
}

async function listTables(dataSource: DataSource): Promise<string[]> {
  const rows = await dataSource.query<{ name: string }[]>(
    dataSource.options.type === 'better-sqlite3'
      ? "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
      : 'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()',
  );
  return rows.map(({ name }) => name);
}

async function doneMigrations(dataSource: DataSource): Promise<string[]> {
  const rows = await dataSource.query<{ name: string }[]>('SELECT name FROM migrations');
  return rows.map(({ name }) => name);
}

function refuseForeign(names: string[]): never {
  throw new InvalidSettings([
    `DATABASE_URL names a database of another program (${shortened(names)}): create a separate one for Pluto`,
  ]);
}

function shortened(names: string[]): string {
  const first = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${first} and ${names.length - 3} more` : first;
}
