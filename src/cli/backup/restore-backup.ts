import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { syncPath } from '../../common/durable-files.js';
import { prepareDataDirectory } from '../../config/data-directory.js';
import { InvalidSettings } from '../../config/invalid-settings.js';
import { SecretKey, secretKeyFile } from '../../config/secret-key.js';
import type { Settings } from '../../config/settings.js';
import { commitStage, completeRestore, openStage } from '../../database/sqlite/staged-restore.js';
import { lockAgainstServers } from '../../database/sqlite/server-lock.js';
import { inSqliteFile, tablesOf } from '../../database/sqlite/sqlite-file.js';
import {
  opensSigningKeys,
  SEALED_SIGNING_KEYS,
  type SealedSigningKey,
} from '../../token/sealed-signing-keys.js';
import {
  AVATARS_FOLDER,
  DATABASE_FILE,
  type Manifest,
  SECRET_KEY_FILE,
  unpack,
  UnfitArchive,
} from './archive.js';
import { type EmbeddedPlace, embeddedPlace } from './embedded-place.js';

export interface RestoreSummary {
  file: string;
  created_at: number;
  version: string;
  avatars: number;
  secret_key: boolean;
  /** The folder with the data that was replaced; `''` if there was none. */
  replaced: string;
}

/**
 * Puts the data of an archive in place of a server's. Everything is checked before anything is replaced; a
 * crash leaves the old data or, once it is decided, the new data, which the next start or restore completes.
 * @throws Error with a message for the operator
 */
export async function restoreBackup(
  settings: Settings,
  { file, force }: { file: string; force: boolean },
): Promise<RestoreSummary> {
  const place = embeddedPlace(settings, 'restore');
  prepareDataDirectory(settings.dataDir);
  const unlock = lockAgainstServers(place.databasePath);
  try {
    completeRestore(settings);
    if (!force) refuseToReplace(place);
    return await replace(settings, place, resolve(file));
  } finally {
    unlock();
  }
}

async function replace(settings: Settings, place: EmbeddedPlace, file: string): Promise<RestoreSummary> {
  const stage = openStage(place.dataDir);
  const { manifest, avatars, secretKey } = await check(settings, file, stage);
  for (const name of Object.keys(manifest.files)) syncPath(join(stage, name));
  for (const folder of [...(avatars > 0 ? [join(stage, AVATARS_FOLDER)] : []), stage]) syncPath(folder);
  commitStage(place.dataDir, stage);
  return {
    file,
    created_at: manifest.createdAt,
    version: manifest.version,
    avatars,
    secret_key: secretKey,
    replaced: completeRestore(settings) ?? '',
  };
}

interface Checked {
  manifest: Manifest;
  avatars: number;
  secretKey: boolean;
}

async function check(settings: Settings, file: string, stage: string): Promise<Checked> {
  try {
    const manifest = await unpack(file, stage);
    const secretKey = manifest.files[SECRET_KEY_FILE] !== undefined;
    const keys = readKeys(join(stage, DATABASE_FILE));
    const secret = secretFor(settings, secretKey ? join(stage, SECRET_KEY_FILE) : null);
    if (!opensSigningKeys(new SecretKey(secret), keys))
      throw new InvalidSettings([
        'SECRET_KEY, or secret.key in DATA_DIR if it is unset, is not the one of the server that was backed up: ' +
          'set that one, or put its secret.key there',
      ]);
    const avatars = existsSync(join(stage, AVATARS_FOLDER))
      ? readdirSync(join(stage, AVATARS_FOLDER)).length
      : 0;
    return { manifest, avatars, secretKey };
  } catch (error) {
    rmSync(stage, { recursive: true, force: true });
    if (error instanceof UnfitArchive)
      throw new Error(`${file} cannot be restored: ${error.message}`, { cause: error });
    throw error;
  }
}

function readKeys(path: string): SealedSigningKey[] {
  return inSqliteFile(path, (connection) => {
    const [verdict] = connection.prepare('PRAGMA integrity_check').all() as { integrity_check: string }[];
    if (verdict?.integrity_check !== 'ok') throw new UnfitArchive('the database in it is damaged');
    const tables = tablesOf(connection);
    if (!['migrations', 'signing_keys', 'users'].every((name) => tables.includes(name)))
      throw new UnfitArchive('the database in it is not one of Pluto');
    return connection.prepare(SEALED_SIGNING_KEYS).all() as SealedSigningKey[];
  });
}

/** The secret that the server will have after the restore. */
function secretFor({ secretKey, dataDir }: Settings, restored: string | null): string {
  if (secretKey !== undefined) return secretKey;
  const file = restored ?? secretKeyFile(dataDir);
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  throw new InvalidSettings([
    `SECRET_KEY is unset, ${file} is missing, and the backup holds none: put secret.key of the server there, or set ` +
      'SECRET_KEY',
  ]);
}

function refuseToReplace({ databasePath, dataDir }: EmbeddedPlace): void {
  const remains = [databasePath, `${databasePath}-wal`, join(dataDir, AVATARS_FOLDER)].filter(isFilled);
  if (remains.length === 0) return;
  throw new Error(
    `${remains.join(' and ')} would be replaced: add --force, which keeps the present data in a folder of ${dataDir}`,
  );
}

function isFilled(path: string): boolean {
  if (!existsSync(path)) return false;
  if (path.endsWith(AVATARS_FOLDER)) return readdirSync(path).length > 0;
  return statSync(path).size > 0;
}
