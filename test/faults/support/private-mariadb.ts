import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageDirectory } from '../../../src/common/package-directory.js';

const script = join(packageDirectory, 'test/support/mariadb.sh');
const sh = async (command: string, folder: string) =>
  (await promisify(execFile)('bash', [script, command, folder])).stdout.trim();

/**
 * A MariaDB of one spec file, which is where `createTestDatabase` and `startTestApp` make their databases.
 */
export class PrivateMariadb {
  private constructor(
    private readonly folder: string,
    readonly url: string,
  ) {}

  static async start(): Promise<PrivateMariadb> {
    const folder = mkdtempSync(join(tmpdir(), 'pluto-mariadb-'));
    return new PrivateMariadb(folder, await sh('start', folder));
  }

  /** From now on test databases are made here; or are SQLite files again. */
  use(isUsed: boolean): void {
    if (isUsed) process.env.TEST_DATABASE_URL = this.url;
    else delete process.env.TEST_DATABASE_URL;
  }

  async stop(): Promise<void> {
    this.use(false);
    await sh('stop', this.folder);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
