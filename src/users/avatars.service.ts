import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { DataSource, In } from 'typeorm';
import { Settings } from '../config/settings.js';
import { normaliseAvatar } from './avatar-image.js';
import { User } from './user.entity.js';

const AVATAR_FILE = /^[0-9a-f]{32}\.(?:jpg|png)$/;
const TEMPORARY = '.tmp';
const ORPHAN_AGE_MS = 60 * 60 * 1000;
const SWEEP_BATCH = 500;

/** The folder of stored pictures; created with the first one. */
export function avatarsFolder({ dataDir }: Pick<Settings, 'dataDir'>): string {
  return join(dataDir, 'avatars');
}

/** Whether `store` could have created the name; other files in the folder must not be served. */
export function isAvatarFile(name: string): boolean {
  return AVATAR_FILE.test(name);
}

/** Stores the pictures of accounts in `DATA_DIR/avatars`; `users.avatar_file` names those in use. */
@Injectable()
export class AvatarsService {
  private readonly folder: string;

  constructor(
    private readonly settings: Settings,
    private readonly dataSource: DataSource,
  ) {
    this.folder = avatarsFolder(settings);
  }

  /**
   * Normalises a picture and writes it to disk durably, before any row refers to it. Discard it if that row
   * is not written.
   * @returns the file name: 32 random hex digits and `.jpg` or `.png`
   * @throws PlutoError invalidAvatar | serviceUnavailable
   */
  async store(picture: Buffer): Promise<string> {
    const { bytes, extension } = await normaliseAvatar(picture);
    const file = `${randomBytes(16).toString('hex')}.${extension}`;
    await this.write(file, bytes);
    return file;
  }

  /**
   * Deletes a stored picture, if it exists.
   * @throws Error for a name that `store` cannot have created
   */
  async discard(file: string): Promise<void> {
    if (!isAvatarFile(file)) throw new Error('not the name of a stored avatar');
    await this.remove(file);
  }

  /**
   * Deletes what crashes have left behind: pictures and partial files that no account names. Files younger
   * than an hour are kept, since an upload in progress is named by its account only at the commit.
   * @returns how many files were deleted
   */
  async sweep(): Promise<number> {
    const files = await this.list();
    let swept = 0;
    for (let start = 0; start < files.length; start += SWEEP_BATCH) {
      const aged = await this.selectAged(files.slice(start, start + SWEEP_BATCH));
      const orphans = await this.selectOrphans(aged);
      await Promise.all(orphans.map((file) => this.remove(file)));
      swept += orphans.length;
    }
    return swept;
  }

  /** The URL of an account's picture, stored or external; `''` for none. */
  urlOf({ avatarUrl, avatarFile }: Pick<User, 'avatarUrl' | 'avatarFile'>): string {
    return avatarFile === null ? avatarUrl : `${this.settings.publicUrl}/avatars/${avatarFile}`;
  }

  private async write(file: string, bytes: Buffer): Promise<void> {
    const path = join(this.folder, file);
    const temporary = path + TEMPORARY;
    const made = await mkdir(this.folder, { recursive: true, mode: 0o700 });
    if (made !== undefined) await syncFolder(dirname(this.folder));
    try {
      await writeFile(temporary, bytes, { flag: 'wx', mode: 0o600, flush: true });
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncFolder(this.folder);
  }

  private async list(): Promise<string[]> {
    try {
      const entries = await readdir(this.folder, { withFileTypes: true });
      return entries.filter((entry) => entry.isFile() && isOurs(entry.name)).map(({ name }) => name);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  private async selectAged(files: string[]): Promise<string[]> {
    const youngest = Date.now() - ORPHAN_AGE_MS;
    const times = await Promise.all(files.map((file) => this.findModifiedMs(file)));
    return files.filter((_, index) => (times[index] ?? Infinity) < youngest);
  }

  private async findModifiedMs(file: string): Promise<number | null> {
    try {
      return (await stat(join(this.folder, file))).mtimeMs;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  private async selectOrphans(files: string[]): Promise<string[]> {
    if (files.length === 0) return [];
    const owners = await this.dataSource.manager.find(User, {
      select: { id: true, avatarFile: true },
      where: { avatarFile: In(files) },
    });
    const used = new Set(owners.map(({ avatarFile }) => avatarFile));
    return files.filter((file) => !used.has(file));
  }

  private remove(file: string): Promise<void> {
    return rm(join(this.folder, file), { force: true });
  }
}

function isOurs(name: string): boolean {
  return isAvatarFile(name.endsWith(TEMPORARY) ? name.slice(0, -TEMPORARY.length) : name);
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

// A rename or a new folder survives a power failure once its parent folder is synced.
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
