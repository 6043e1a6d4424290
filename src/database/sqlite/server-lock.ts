import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { InvalidSettings } from '../../config/invalid-settings.js';
import type { Settings } from '../../config/settings.js';
import { isTransactionConflict } from '../database-error.js';
import { SqliteConnection } from './sqlite-connection.js';

/** For a server that is about to exit; no request is waiting yet. */
const PATIENCE_MS = 2000;

/** Kept open, so that it is neither closed nor collected while this process runs. */
const held: SqliteConnection[] = [];

/** A server is running on the SQLite file. */
export class ServerRunning extends InvalidSettings {
  override name = 'ServerRunning';
}

/**
 * Makes this process the only server on a SQLite file until it ends, by a lock of the operating system on a
 * file next to it: two servers would send the same mails and count limits apart. Commands do not lock.
 * @throws ServerRunning
 */
export function lockForServer({ database }: Pick<Settings, 'database'>): void {
  if (database.kind === 'sqlite') held.push(lock(database.path));
}

/**
 * Keeps servers away from a SQLite file that is about to be replaced.
 * @returns releases the lock
 * @throws ServerRunning
 */
export function lockAgainstServers(path: string): () => void {
  const connection = lock(path);
  return () => {
    // libsql closes the file only when the connection is collected.
    connection.exec('ROLLBACK');
    connection.close();
  };
}

function lock(path: string): SqliteConnection {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const connection = new SqliteConnection(`${path}.lock`);
  try {
    // Otherwise the transaction would create a journal file.
    connection.pragma('journal_mode = MEMORY');
    connection.pragma(`busy_timeout = ${PATIENCE_MS}`);
    connection.exec('BEGIN EXCLUSIVE');
    return connection;
  } catch (error) {
    connection.close();
    if (!isTransactionConflict(error)) throw error;
    throw new ServerRunning([
      `DATABASE_URL: another server is running on ${path}. Stop it first; several servers require MySQL or MariaDB`,
    ]);
  }
}
