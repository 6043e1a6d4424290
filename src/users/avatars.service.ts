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

/** The folder of the pictures that Pluto keeps; made when the first one is stored. */
export function avatarsFolder({ dataDir }: Pick<Settings, 'dataDir'>): string {
  return join(dataDir, 'avatars');
}

/** Whether a name is one that `store` gives; others in the folder are not to be served. */
export function isAvatarFile(name: string): boolean {
  return AVATAR_FILE.test(name);
}

/** Keeps the pictures of accounts in `DATA_DIR/avatars`; `users.avatar_file` says which are in use. */
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
   * Normalises a picture and writes it to disk durably, before anything refers to it. Discard it if that fails.
   * @returns the name of its file: 32 hex digits that cannot be guessed, and `.jpg` or `.png`
   * @throws PlutoError invalidAvatar | serviceUnavailable
   */
  async store(picture: Buffer): Promise<string> {
    const { bytes, extension } = await normaliseAvatar(picture);
    const file = `${randomBytes(16).toString('hex')}.${extension}`;
    await this.write(file, bytes);
    return file;
  }

  /**
   * Deletes a stored picture; one that is gone already is fine.
   * @throws Error on a name that `store` cannot have given
   */
  async discard(file: string): Promise<void> {
    if (!isAvatarFile(file)) throw new Error('not the name of a stored avatar');
    await this.remove(file);
  }

  /**
   * Deletes what crashes have left behind: pictures and half-written files that no account names. Files younger than
   * an hour are spared, since an upload under way is named by its account only at the commit.
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

  /** The URL of an account's picture, ours or one elsewhere; `''` for none. */
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

// A rename or a new folder survives a power failure once the folder that names it is on disk.
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
