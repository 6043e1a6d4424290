import { existsSync } from 'node:fs';
import { SqliteConnection } from './sqlite-connection.js';

/** Covers the moment in which another process recovers the file after a crash. */
const BUSY_MS = 2000;

/** Looks into an existing database file without TypeORM. @throws Error if there is none */
export function inSqliteFile<T>(path: string, work: (connection: SqliteConnection) => T): T {
  // libsql would create it.
  if (!existsSync(path)) throw new Error(`there is no database ${path}`);
  const connection = new SqliteConnection(path);
  try {
    connection.pragma(`busy_timeout = ${BUSY_MS}`);
    return work(connection);
  } finally {
    connection.close();
  }
}

export function tablesOf(connection: SqliteConnection): string[] {
  const rows = connection
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all() as { name: string }[];
  return rows.map(({ name }) => name);
}
