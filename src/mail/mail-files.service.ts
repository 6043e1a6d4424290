import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { Settings } from '../config/settings.js';

/** `<mail's number>-<account's id>.eml`, or what a crash left of one. */
const MAIL_FILE = /^\d+-(\d+)\.eml(?:\.part)?$/;

/** The mails in `DATA_DIR/outbox`, where a server without SMTP puts them. They go with their account. */
@Injectable()
export class MailFilesService {
  private readonly folder: string;

  constructor({ dataDir }: Settings) {
    this.folder = join(dataDir, 'outbox');
  }

  /** Writes a mail durably, readable by this user only. @returns its path */
  async keep({ id, userId }: { id: number; userId: number }, message: Buffer): Promise<string> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const path = join(this.folder, `${String(id).padStart(8, '0')}-${userId}.eml`);
    const temporary = `${path}.part`;
    try {
      await writeFile(temporary, message, { mode: 0o600, flush: true });
      await rename(temporary, path);
    } catch (error) {
      // It would take what room is left on a full disk.
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
    return path;
  }

  /** The accounts that have mails here. */
  async userIds(): Promise<number[]> {
    return [...new Set((await this.list()).map(({ userId }) => userId))];
  }

  async removeOf(userIds: readonly number[]): Promise<void> {
    const files = (await this.list()).filter(({ userId }) => userIds.includes(userId));
    for (const { name } of files) await rm(join(this.folder, name), { force: true });
  }

  private async list(): Promise<{ name: string; userId: number }[]> {
    const names = await readdir(this.folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    return names.flatMap((name) => {
      const userId = MAIL_FILE.exec(name)?.[1];
      return userId === undefined ? [] : [{ name, userId: Number(userId) }];
    });
  }
}
