import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidSettings } from '../../config/invalid-settings.js';
import { SECRET_KEY_FILE } from '../../config/secret-key.js';
import type { Settings } from '../../config/settings.js';
import { isTransactionConflict } from '../database-error.js';
import { inSqliteFile, tablesOf } from './sqlite-file.js';
import { isRestorePending } from './staged-restore.js';

type DatabaseLocation = Pick<Settings, 'database' | 'dataDir'>;

const FOLDERS = ['avatars', 'outbox'];
/** Exists during the first start: files created so far are no sign of a lost database. */
const FIRST_START_MARK = '.first-start';
/** A database with tables has more than one page, unless everything is still in the -wal file. */
const PAGE_BYTES = 4096;

/**
 * Refuses to create a new, empty database in place of a lost one: the database file is missing or has no
 * tables, next to files that belong to its accounts. Call it before anything is written to DATA_DIR.
 * @param mayCreate whether a new database will be created if none was lost
 * @throws InvalidSettings
 */
export function refuseLostDatabase(
  { database, dataDir }: DatabaseLocation,
  { mayCreate } = { mayCreate: true },
): void {
  if (database.kind !== 'sqlite') return;
  // In this order: of servers that start concurrently, the first creates the marker before anything else, and
  // removes it once there are tables.
  const found = remainsIn(dataDir);
  const isFirstStart = existsSync(markIn(dataDir));
  const hasTables = findTables(database.path);
  if (hasTables === null) return;
  if (hasTables) return endFirstStart({ database, dataDir });
  if (found.length === 0) {
    if (mayCreate) writeFileSync(markIn(dataDir), '', { mode: 0o600 });
    return;
  }
  if (isFirstStart) return;
  const fault = existsSync(database.path) ? 'holds no tables' : 'is missing';
  throw new InvalidSettings([
    `DATA_DIR ${dataDir} holds ${found.join(' and ')} of a server, but its database ${database.path} ${fault}: ` +
      `restore it from a backup, with its -wal file if there is one, or move ${found.join(' and ')} away for a new server`,
  ]);
}

/**
 * Refuses to create a database: only the server does that. Call it before anything is written or connected.
 * @throws InvalidSettings
 */
export function refuseMissingDatabase({ database, dataDir }: DatabaseLocation): void {
  if (database.kind !== 'sqlite') return;
  if (isRestorePending(dataDir))
    throw new InvalidSettings([
      `DATA_DIR ${dataDir} holds a restore that was interrupted: start the server, or restore again, to complete it`,
    ]);
  if (findTables(database.path) !== false) return;
  const fault = existsSync(database.path) ? 'holds no tables' : 'does not exist';
  throw new InvalidSettings([
    `DATABASE_URL: the database ${database.path} ${fault}. Only the server creates it: start it once, or run ` +
      'the command in the folder and with the settings of the server',
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
    return inSqliteFile(path, (connection) => tablesOf(connection).length > 0);
  } catch (error) {
    if (isTransactionConflict(error)) return null;
    throw error;
  }
}
