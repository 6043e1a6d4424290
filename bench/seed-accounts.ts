import { freemem } from 'node:os';
import type { DataSource, QueryRunner } from 'typeorm';
import { nowSeconds } from '../src/common/time.js';
import { accountOf } from './accounts.js';
import { bulkInsert, inTransaction } from './bulk-insert.js';

export interface SeedRequest {
  accounts: number;
  applicationId: number;
  passwordHash: string;
  onProgress: (done: number) => void;
}

export interface SeededAccounts {
  /** The numbers are consecutive: see `accountOf`. */
  firstNumber: number;
  firstId: number;
  count: number;
}

const ROWS_PER_STATEMENT = 200;
/** Keys begin in many ways, so a transaction touches most pages of an index: on SQLite few large ones write far less. */
const ROWS_PER_TRANSACTION = { sqlite: 100_000, mysql: 5000 };
/** Room for all indexes of a million accounts, where there is so much memory. */
const CACHE_KB = 1_000_000;
const USER_COLUMNS = [
  'application_id',
  'handle',
  'handle_key',
  'name',
  'name_key',
  'password_hash',
  'created_at',
  'updated_at',
];
const IDENTITY_COLUMNS = [
  'user_id',
  'application_id',
  'login_type',
  'subject_key',
  'mail',
  'mail_key',
  'is_verified',
  'created_at',
];

/** Adds accounts with verified mails to those that there are. */
export async function seedAccounts(dataSource: DataSource, request: SeedRequest): Promise<SeededAccounts> {
  const runner = dataSource.createQueryRunner();
  try {
    const restore = await hurry(runner);
    const firstNumber = (await highestId(runner)) + 1;
    let firstId = 0;
    const atOnce = ROWS_PER_TRANSACTION[isSqlite(runner) ? 'sqlite' : 'mysql'];
    for (let done = 0; done < request.accounts; done += atOnce) {
      const end = Math.min(done + atOnce, request.accounts);
      const onProgress = (inserted: number) => request.onProgress(done + inserted);
      const batch = { ...request, from: firstNumber + done, to: firstNumber + end, onProgress };
      const id = await inTransaction(runner, () => insertAccounts(runner, batch));
      firstId ||= id;
    }
    // As InnoDB does by itself in a while; SQLite, which nobody has analyse its tables, takes them for large.
    if (!isSqlite(runner)) await runner.query('ANALYZE TABLE users, identities');
    await restore();
    return { firstNumber, firstId, count: request.accounts };
  } finally {
    await runner.release();
  }
}

async function insertAccounts(
  runner: QueryRunner,
  { applicationId, passwordHash, from, to, onProgress }: SeedRequest & { from: number; to: number },
): Promise<number> {
  const now = nowSeconds();
  let firstOfAll = 0;
  for (let start = from; start < to; start += ROWS_PER_STATEMENT) {
    const length = Math.min(ROWS_PER_STATEMENT, to - start);
    const accounts = Array.from({ length }, (_, index) => accountOf(start + index));
    const users = accounts.map(({ handle, name }, index) => {
      const createdAt = now - (start + index) * 60;
      return [applicationId, handle, handle, name, name, passwordHash, createdAt, now];
    });
    const firstId = await bulkInsert(runner, 'users', USER_COLUMNS, users);
    const identities = accounts.map(({ mail }, index) => {
      return [firstId + index, applicationId, 'mail', mail, mail, mail, 1, now];
    });
    await bulkInsert(runner, 'identities', IDENTITY_COLUMNS, identities);
    firstOfAll ||= firstId;
    onProgress(start + length - from);
  }
  return firstOfAll;
}

/** Above every number used before, so that no handle or mail is used twice. */
async function highestId(runner: QueryRunner): Promise<number> {
  const [row] = (await runner.query('SELECT MAX(id) AS id FROM users')) as { id: number | null }[];
  return Number(row?.id ?? 0);
}

/**
 * A large cache, and a disk that is waited for at checkpoints only: a crash may lose the last transactions then, and
 * never harms the file (https://sqlite.org/pragma.html#pragma_synchronous). Both belong to the connection.
 */
async function hurry(runner: QueryRunner): Promise<() => Promise<void>> {
  if (!isSqlite(runner)) return () => Promise.resolve();
  const before = (await runner.query('PRAGMA cache_size')) as { cache_size: number }[];
  const cacheKb = Math.min(CACHE_KB, Math.floor(freemem() / 1024 / 2));
  await runner.query(`PRAGMA cache_size = -${cacheKb}`);
  await runner.query('PRAGMA synchronous = NORMAL');
  return async () => {
    await runner.query(`PRAGMA cache_size = ${before[0]?.cache_size ?? -2000}`);
    await runner.query('PRAGMA synchronous = FULL');
  };
}

function isSqlite(runner: QueryRunner): boolean {
  return runner.dataSource.options.type === 'better-sqlite3';
}
