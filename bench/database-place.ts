import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createConnection } from 'mysql2/promise';
import { packageDirectory } from '../src/common/package-directory.js';
import { undoAtEnd } from './cleanup.js';
import type { DatabaseKind } from './options.js';

const script = join(packageDirectory, 'test/support/mariadb.sh');
/** As durable as MariaDB is unless told otherwise, and with room for a million accounts; both as in production. */
const MARIADB_ARGUMENTS =
  '--innodb-flush-log-at-trx-commit=1 --innodb-buffer-pool-size=512M --innodb-log-file-size=256M';

/** A folder that is deleted at the end. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pluto-bench-'));
  undoAtEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** An empty database of its own in the folder, or on a server that is started in it or named by BENCH_DATABASE_URL. */
export async function databaseUrl(kind: DatabaseKind, folder: string): Promise<string> {
  if (kind === 'sqlite') return `sqlite:${join(folder, 'pluto.db')}`;
  const given = process.env.BENCH_DATABASE_URL;
  const server = given ?? (await startMariadb());
  const name = `pluto_bench_${randomBytes(6).toString('hex')}`;
  await execute(server, `CREATE DATABASE ${name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`);
  // One that was started here is deleted whole.
  if (given !== undefined) undoAtEnd(() => execute(server, `DROP DATABASE ${name}`));
  const url = new URL(server);
  url.pathname = name;
  return url.href;
}

let running: Promise<string> | undefined;

function startMariadb(): Promise<string> {
  return (running ??= runMariadb());
}

async function runMariadb(): Promise<string> {
  const folder = temporaryFolder();
  undoAtEnd(async () => {
    // One that is being started cannot be stopped yet.
    await running?.catch(() => undefined);
    await runScript('stop', folder);
  });
  return runScript('start', folder);
}

/** In a session of its own: Ctrl-C must not end it halfway, with a server that nobody knows of. */
async function runScript(command: 'start' | 'stop', folder: string): Promise<string> {
  const env = { ...process.env, MARIADB_ARGUMENTS };
  const { stdout } = await promisify(execFile)('setsid', ['--wait', 'sh', script, command, folder], { env });
  return stdout.trim();
}

async function execute(server: string, sql: string): Promise<void> {
  const url = new URL(server);
  url.pathname = '/';
  url.search = '';
  const connection = await createConnection(url.href);
  try {
    await connection.query(sql);
  } finally {
    await connection.end();
  }
}
