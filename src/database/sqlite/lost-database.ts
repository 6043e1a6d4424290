import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidSettings } from '../../config/invalid-settings.js';
import type { Settings } from '../../config/settings.js';
import { isTransactionConflict } from '../database-error.js';
import { SqliteConnection } from './sqlite-connection.js';

type DatabaseLocation = Pick<Settings, 'database' | 'dataDir'>;

const SECRET_KEY_FILE = 'secret.key';
const FOLDERS = ['avatars', 'outbox'];
/** Exists during the first start: files created so far are no sign of a lost database. */
const FIRST_START_MARK = '.first-start';
/** A database with tables has more than one page, unless everything is still in the -wal file. */
const PAGE_BYTES = 4096;

/**
 * Refuses to create a new, empty database in place of a lost one: the database file is missing or has no
 * tables, next to files that belong to its accounts. Call it before anything is written to DATA_DIR.
 * @throws InvalidSettings
 */
export function refuseLostDatabase({ database, dataDir }: DatabaseLocation): void {
  if (database.kind !== 'sqlite') return;
  // In this order: of servers that start concurrently, the first creates the marker before anything else, and
  // removes it once there are tables.
  const found = remainsIn(dataDir);
  const isFirstStart = existsSync(markIn(dataDir));
  const hasTables = findTables(database.path);
  if (hasTables === null) return;
  if (hasTables) return endFirstStart({ database, dataDir });
  if (found.length === 0) return writeFileSync(markIn(dataDir), '', { mode: 0o600 });
  if (isFirstStart) return;
  const fault = existsSync(database.path) ? 'holds no tables' : 'is missing';
  throw new InvalidSettings([
    `DATA_DIR ${dataDir} holds ${found.join(' and ')} of a server, but its database ${database.path} ${fault}: ` +
      `restore it from a backup, with its -wal file if there is one, or move ${found.join(' and ')} away for a new server`,
  ]);
}

/** Marks the first start as complete: from now on a missing database is a lost one. */
export function endFirstStart({ database, dataDir }: DatabaseLocation): void {
  if (database.kind === 'sqlite') rmSync(markIn(dataDir), { force: true });
}

function markIn(dataDir: string): string {
  return join(dataDir, FIRST_START_MARK);
}

function remainsIn(dataDir: string): string[] {
  const folders = FOLDERS.filter((name) => {
    const path = join(dataDir, name);
    return existsSync(path) && readdirSync(path).length > 0;
  });
  return existsSync(join(dataDir, SECRET_KEY_FILE)) ? [...folders, SECRET_KEY_FILE] : folders;
}

/** @returns null while another process has locked the file to create it */
function findTables(path: string): boolean | null {
  const bytes = statSync(path, { throwIfNoEntry: false })?.size;
  if (bytes === undefined) return false;
  if (bytes > PAGE_BYTES) return true;
  try {
    return countTables(path) > 0;
  } catch (error) {
    if (isTransactionConflict(error)) return null;
    throw error;
  }
}

function countTables(path: string): number {
  const connection = new SqliteConnection(path);
  try {
    const statement = connection.prepare('SELECT COUNT(*) AS tables FROM sqlite_master');
    return Number((statement.get() as { tables: number }).tables);
  } finally {
    connection.close();
  }
}
