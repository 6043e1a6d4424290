import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { syncPath } from '../../common/durable-files.js';
import { packageVersion } from '../../common/package-version.js';
import { nowSeconds } from '../../common/time.js';
import { secretKeyFile } from '../../config/secret-key.js';
import { inSqliteFile } from '../../database/sqlite/sqlite-file.js';
import { avatarsFolder, isAvatarFile } from '../../users/avatars.service.js';
import { AVATARS_FOLDER, DATABASE_FILE, pack, SECRET_KEY_FILE, verify } from './archive.js';
import type { EmbeddedPlace } from './embedded-place.js';

interface BackupOptions {
  file: string;
  withSecretKey: boolean;
  /** Whether an existing file is replaced. */
  force: boolean;
}

export interface BackupSummary {
  file: string;
  bytes: number;
  created_at: number;
  avatars: number;
  secret_key: boolean;
}

/**
 * Writes one archive of the embedded database, the pictures and, if asked, the generated secret, while the
 * server runs. The file appears whole or not at all.
 * @throws Error with a message for the operator
 */
export async function createBackup(place: EmbeddedPlace, options: BackupOptions): Promise<BackupSummary> {
  const file = resolve(options.file);
  if (!options.force && existsSync(file)) throw existsAlready(file);
  const folder = mkdtempSync(join(dirname(file), `.${basename(file)}-`));
  try {
    const files = collect(place, folder, options.withSecretKey);
    const archive = join(folder, 'archive');
    const createdAt = nowSeconds();
    await pack(folder, files, { file: archive, version: packageVersion, createdAt });
    // A backup that cannot be read is found now, not when it is needed.
    await verify(archive);
    syncPath(archive);
    publish(archive, file, options.force);
    return {
      file,
      bytes: statSync(file).size,
      created_at: createdAt,
      avatars: files.filter((name) => name.startsWith(AVATARS_FOLDER)).length,
      secret_key: options.withSecretKey,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The pictures after the database, so that none that it names is missing. */
function collect({ databasePath, dataDir }: EmbeddedPlace, folder: string, withSecretKey: boolean): string[] {
  const snapshot = join(folder, DATABASE_FILE);
  inSqliteFile(databasePath, (connection) =>
    connection.exec(`VACUUM INTO '${snapshot.replaceAll("'", "''")}'`),
  );
  mkdirSync(join(folder, AVATARS_FOLDER));
  const source = avatarsFolder({ dataDir });
  const names = existsSync(source) ? readdirSync(source).filter(isAvatarFile) : [];
  const taken = names.filter((name) => take(join(source, name), join(folder, AVATARS_FOLDER, name)));
  if (withSecretKey) copyFileSync(secretKeyFile(dataDir), join(folder, SECRET_KEY_FILE));
  return [
    DATABASE_FILE,
    ...(withSecretKey ? [SECRET_KEY_FILE] : []),
    ...taken.map((name) => `${AVATARS_FOLDER}/${name}`),
  ];
}

/** Linked where that is possible: pictures never change. @returns false if it has just been deleted */
function take(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch {
    try {
      copyFileSync(from, to);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }
}

/** A link, unlike a rename, never replaces a file that has appeared meanwhile; some disks have none. */
function publish(archive: string, file: string, force: boolean): void {
  try {
    if (!force) linkSync(archive, file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw existsAlready(file);
  }
  if (force || !existsSync(file)) renameSync(archive, file);
  syncPath(dirname(file));
}

function existsAlready(file: string): Error {
  return new Error(`${file} exists: choose another name, or add --force`);
}
