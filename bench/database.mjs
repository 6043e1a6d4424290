// An empty database for each measured server: an SQLite file, or one on a temporary MariaDB.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Libsql from 'libsql';
import mysql from 'mysql2/promise';
import { undoAtEnd } from './cleanup.mjs';

const script = join(import.meta.dirname, '../test/support/mariadb.sh');
/** As durable as MariaDB is by default, and with room for a million accounts; both as in production. */
const MARIADB_ARGUMENTS =
  '--innodb-flush-log-at-trx-commit=1 --innodb-buffer-pool-size=512M --innodb-log-file-size=256M';

/** A folder that is deleted at the end of the run. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'pluto-bench-'));
  undoAtEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** @returns the value for DATABASE_URL */
export async function emptyDatabase(kind, folder) {
  if (kind === 'sqlite') return `sqlite:${join(folder, 'pluto.db')}`;
  const url = new URL(await mariadb());
  const name = `pluto_bench_${randomBytes(6).toString('hex')}`;
  const connection = await mysql.createConnection(url.href);
  await connection.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`);
  await connection.end();
  url.pathname = name;
  return url.href;
}

/** @returns functions for statements on either database: `all` returns rows, `run` none */
export async function connect(databaseUrl) {
  if (databaseUrl.startsWith('sqlite:')) {
    const database = new Libsql(databaseUrl.slice('sqlite:'.length));
    // Syncs only at checkpoints: rows lost in a crash do not matter here.
    database.exec('PRAGMA synchronous = NORMAL; PRAGMA cache_size = -400000; PRAGMA busy_timeout = 10000');
    return {
      all: async (sql) => database.prepare(sql).all(),
      run: async (sql, values = []) => void database.prepare(sql).run(...values),
      close: async () => database.close(),
    };
  }
  const connection = await mysql.createConnection(databaseUrl.replace(/^mariadb:/, 'mysql:'));
  return {
    all: async (sql) => (await connection.query(sql))[0],
    run: async (sql, values = []) => void (await connection.query(sql, values)),
    close: () => connection.end(),
  };
}

let running;

/** One server for all databases of a run. */
function mariadb() {
  return (running ??= startMariadb());
}

async function startMariadb() {
  const folder = temporaryFolder();
  undoAtEnd(() => runScript('stop', folder));
  return runScript('start', folder);
}

/** In a separate process group: Ctrl-C must not interrupt it and leave an unknown server behind. */
async function runScript(command, folder) {
  const env = { ...process.env, MARIADB_ARGUMENTS };
  const { stdout } = await promisify(execFile)('setsid', ['--wait', 'sh', script, command, folder], { env });
  return stdout.trim();
}
