import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageDirectory } from '../../../src/common/package-directory.js';

export const PASSWORD = 'password of the administrator';

/** What the servers of these tests have in common. */
export const SERVER_ENV = {
  PORT: '0',
  RATE_LIMIT: 'false',
  SECRET_KEY: 'a secret key for the processes of the tests',
  ADMIN_PASSWORD: PASSWORD,
  LOG_FORMAT: 'json',
  MAIL_FROM: 'accounts@pluto.test',
} as const;

/** The clock of a process, and the environment that gives it to one. */
export class ShiftedClock {
  readonly env: Record<string, string>;
  private readonly file: string;

  constructor(folder: string) {
    this.file = join(folder, 'clock');
    const preload = join(packageDirectory, 'test/faults/support/shifted-clock.mjs');
    if (!existsSync(preload)) throw new Error('the clock to preload is missing');
    this.env = { NODE_OPTIONS: `--import=${pathToFileURL(preload).href}`, CLOCK_FILE: this.file };
  }

  /** Sets the clock to so many seconds from the real time. */
  async set(seconds: number): Promise<void> {
    writeFileSync(`${this.file}.new`, String(seconds));
    renameSync(`${this.file}.new`, this.file);
    await sleep(100);
  }
}
