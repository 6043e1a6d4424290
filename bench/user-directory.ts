import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { AppModule } from '../src/app.module.js';
import { FirstStartService } from '../src/auth/first-start.service.js';
import { createLog, NestLog } from '../src/common/logging.js';
import { nowSeconds } from '../src/common/time.js';
import { Settings } from '../src/config/settings.js';
import { UserDirectoryService } from '../src/users/user-directory.service.js';

const USERS = 100_000;
const BATCH = 1000;
const ROUNDS = 30;
const LIMIT_MS = 50;

/** Fills a database with accounts whose names, handles and mails begin in many different ways. */
async function fill(dataSource: DataSource): Promise<void> {
  const now = nowSeconds();
  for (let start = 1; start <= USERS; start += BATCH) {
    const numbers = Array.from({ length: BATCH }, (_, index) => start + index);
    const users = numbers.map((number) => {
      const word = wordOf(number);
      return [
        1,
        `${word}-${number}`,
        `${word}-${number}`,
        `member ${word}`,
        `member ${word}`,
        now - number * 60,
        now,
      ];
    });
    await insert(dataSource, 'users', USER_COLUMNS, users);
    const [first] = await dataSource.query<{ id: number }[]>('SELECT MAX(id) AS id FROM users');
    const firstId = Number(first?.id) - BATCH + 1;
    const identities = numbers.map((number, index) => {
      const mail = `${wordOf(number)}.${number}@example.com`;
      return [firstId + index, 1, 'mail', mail, mail, mail, number % 10 === 0 ? 0 : 1, now];
    });
    await insert(dataSource, 'identities', IDENTITY_COLUMNS, identities);
  }
}

const USER_COLUMNS = [
  'application_id',
  'handle',
  'handle_key',
  'name',
  'name_key',
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

async function insert(
  dataSource: DataSource,
  table: string,
  columns: string[],
  rows: unknown[][],
): Promise<void> {
  const places = rows.map(() => `(${columns.map(() => '?').join(', ')})`).join(', ');
  await dataSource.query(`INSERT INTO ${table} (${columns.join(', ')}) VALUES ${places}`, rows.flat());
}

/** 26 × 26 × 26 beginnings, spread evenly. */
function wordOf(number: number): string {
  const scattered = (number * 7919) % 17_576;
  return [676, 26, 1].map((place) => String.fromCharCode(97 + (Math.floor(scattered / place) % 26))).join('');
}

async function measure(label: string, work: () => Promise<unknown>): Promise<boolean> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const [median, slowest] = [times[ROUNDS >> 1] ?? 0, times[ROUNDS - 1] ?? 0];
  const verdict = median < LIMIT_MS ? 'ok' : `over ${LIMIT_MS} ms`;
  console.log(
    `${label.padEnd(44)} median ${median.toFixed(1)} ms  slowest ${slowest.toFixed(1)} ms  ${verdict}`,
  );
  return median < LIMIT_MS;
}

async function run(): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'pluto-bench-'));
  const databaseUrl = process.env.DATABASE_URL;
  const settings = Settings.load({
    DATA_DIR: dataDir,
    SECRET_KEY: 'a secret key of the benchmark, long enough',
    ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }),
  });
  const app = await NestFactory.createApplicationContext(AppModule.forRoot(settings), {
    logger: new NestLog(createLog('error', 'json')),
  });
  try {
    await app.get(FirstStartService).prepare();
    const dataSource = app.get(DataSource);
    console.log(`filling ${settings.database.kind} with ${USERS} accounts …`);
    await fill(dataSource);
    await dataSource.query(
      settings.database.kind === 'sqlite' ? 'ANALYZE' : 'ANALYZE TABLE users, identities',
    );
    const directory = app.get(UserDirectoryService);
    const search = (text: string, offset = 0) => directory.search(text, { limit: 20, offset });
    const results = [
      await measure('search, exact mail', () => search('abc.12345@example.com')),
      await measure('search, 3 letters (about 6 accounts)', () => search('abc')),
      await measure('search, 2 letters (about 150)', () => search('ab')),
      await measure('search, 1 letter (about 3,850)', () => search('a')),
      await measure('search, 1 letter, last page', () => search('a', 3800)),
      await measure('search, every account (100,000)', () => search('member')),
      await measure('search, no match', () => search('0nobody')),
      await measure('summary', () => directory.summarize()),
    ];
    if (results.includes(false)) process.exitCode = 1;
  } finally {
    await app.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

await run();
