import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidSettings } from '../../config/invalid-settings.js';
import type { Settings } from '../../config/settings.js';
import { isTransactionConflict } from '../database-error.js';
import { SqliteConnection } from './sqlite-connection.js';

type DatabaseLocation = Pick<Settings, 'database' | 'dataDir'>;

const SECRET_KEY_FILE = 'secret.key';
const FOLDERS = ['avatars', 'outbox'];
/** There while a new server is being made: what it has made so far is no sign of a database that is gone. */
const FIRST_START_MARK = '.first-start';
/** A database with tables has more than one page, unless all that was written is in the -wal file. */
const PAGE_BYTES = 4096;

/**
 * Refuses to make a new, empty server where there was another one: the database file is missing, or a copy without
 * its tables, next to files that belong to its accounts. To be called before anything is written to DATA_DIR.
 * @throws InvalidSettings
 */
export function refuseLostDatabase({ database, dataDir }: DatabaseLocation): void {
  if (database.kind !== 'sqlite') return;
  // In this order: of servers that start together the first one leaves its mark before it makes anything, and takes it
  // away when there are tables.
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

/** From now on a database that is gone is a loss. */
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

/** @returns null while another process has the file for itself, and so is making it */
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
