import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { Settings } from '../config/settings.js';

/** `<mail id>-<account id>.eml`, or a partial file left by a crash. */
const MAIL_FILE = /^\d+-(\d+)\.eml(?:\.part)?$/;

/** The mails in `DATA_DIR/outbox`, written by a server without SMTP and deleted with their account. */
@Injectable()
export class MailFilesService {
  private readonly folder: string;

  constructor({ dataDir }: Settings) {
    this.folder = join(dataDir, 'outbox');
  }

  /** Writes a mail durably, readable only by this user. @returns its path */
  async keep({ id, userId }: { id: number; userId: number }, message: Buffer): Promise<string> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const path = join(this.folder, `${String(id).padStart(8, '0')}-${userId}.eml`);
    const temporary = `${path}.part`;
    try {
      await writeFile(temporary, message, { mode: 0o600, flush: true });
      await rename(temporary, path);
    } catch (error) {
      // A partial file would use up a disk that is almost full.
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
    return path;
  }

  /** The accounts with mails in the folder. */
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
