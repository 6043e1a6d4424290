import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { moveFile, syncPath } from '../../common/durable-files.js';
import { secretKeyFile } from '../../config/secret-key.js';
import type { Settings } from '../../config/settings.js';

type Place = Pick<Settings, 'database' | 'dataDir'>;

const STAGED = '.restore';
/** Names within the folder of a restore. */
const DATABASE = 'pluto.db';
const AVATARS = 'avatars';
const SECRET_KEY = 'secret.key';
const REPLACED = 'replaced';

/** An empty folder to unpack a backup into; what earlier attempts left is removed. */
export function openStage(dataDir: string): string {
  for (const name of readdirSync(dataDir))
    if (name.startsWith(`${STAGED}-`)) rmSync(join(dataDir, name), { recursive: true });
  const stage = join(dataDir, `${STAGED}-${randomBytes(6).toString('hex')}`);
  mkdirSync(stage, { mode: 0o700 });
  return stage;
}

/**
 * Decides that the data of a stage replaces what is there: a crash before leaves the old data, after it
 * `completeRestore` goes on. The files must be on disk.
 */
export function commitStage(dataDir: string, stage: string): void {
  renameSync(stage, join(dataDir, STAGED));
  syncPath(dataDir);
}

/** Whether a restore was interrupted after its decision. */
export function isRestorePending(dataDir: string): boolean {
  return existsSync(join(dataDir, STAGED));
}

/**
 * Puts the data of a decided restore in place, from wherever the attempt before ended. Only for the holder of
 * the server's lock.
 * @returns the folder with what was replaced; null if nothing was, or no restore is pending
 */
export function completeRestore({ database, dataDir }: Place): string | null {
  if (database.kind !== 'sqlite' || !isRestorePending(dataDir)) return null;
  const stage = join(dataDir, STAGED);
  const replaced = join(stage, REPLACED);
  mkdirSync(replaced, { recursive: true, mode: 0o700 });
  placeDatabase(join(stage, DATABASE), database.path, replaced);
  placeAvatars(join(stage, AVATARS), join(dataDir, AVATARS));
  placeSecretKey(join(stage, SECRET_KEY), secretKeyFile(dataDir), replaced);
  return endRestore(dataDir, stage, replaced);
}

function placeDatabase(staged: string, path: string, replaced: string): void {
  if (!existsSync(staged)) return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // The log first: it must never meet a database that is not its own.
  for (const suffix of ['-wal', '-shm', '']) setAside(path + suffix, join(replaced, DATABASE + suffix));
  moveFile(staged, path);
}

/** Pictures never change under their name, so they are added; housekeeping removes those that nobody uses. */
function placeAvatars(staged: string, folder: string): void {
  if (!existsSync(staged)) return;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(staged)) moveFile(join(staged, name), join(folder, name));
}

function placeSecretKey(staged: string, path: string, replaced: string): void {
  if (!existsSync(staged)) return;
  const isSame = existsSync(path) && readFileSync(path).equals(readFileSync(staged));
  if (!isSame) setAside(path, join(replaced, SECRET_KEY));
  moveFile(staged, path);
}

function setAside(path: string, to: string): void {
  if (!existsSync(path)) return;
  // After a crash the file may be the restored one already: what was replaced first is kept.
  if (existsSync(to)) rmSync(path);
  else moveFile(path, to);
}

function endRestore(dataDir: string, stage: string, replaced: string): string | null {
  if (readdirSync(replaced).length === 0) {
    rmSync(stage, { recursive: true });
    return null;
  }
  const kept = join(dataDir, `replaced-${new Date().toISOString().replace(/\.\d+|[:-]/g, '')}`);
  renameSync(replaced, kept);
  rmSync(stage, { recursive: true });
  syncPath(dataDir);
  return kept;
}
