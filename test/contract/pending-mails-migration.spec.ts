import type { DataSource } from 'typeorm';
import { migrations } from '../../migrations/index.js';
import { dataSourceOptions } from '../../src/database/data-source-options.js';
import { runMigrations } from '../../src/database/jobs/migrate.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { entities } from '../../src/entities.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let created: TestDatabase;
let dataSource: PlutoDataSource;
const version = migrations.findIndex(({ name }) => name === 'PendingMails1795824000000');

async function open(upTo: number): Promise<PlutoDataSource> {
  const options = dataSourceOptions(created.database, entities, migrations.slice(0, upTo));
  const source = new PlutoDataSource(options);
  await source.initialize();
  await runMigrations(source);
  return source;
}

beforeEach(async () => (created = await createTestDatabase()));
afterEach(async () => {
  if (dataSource.isInitialized) await dataSource.destroy();
  await created.drop();
});

interface Former {
  id: number;
  mail: string;
  key: string;
  isVerified?: boolean;
  linksUntil?: number[];
}

async function add(source: DataSource, { id, mail, key, isVerified = false, linksUntil = [] }: Former) {
  const at = 1000;
  await source.query(
    `INSERT INTO users (id, application_id, handle, handle_key, name, name_key, avatar_url, created_at, updated_at)
     VALUES (?, 1, ?, ?, 'Ann', 'ann', '', ?, ?)`,
    [id, `ann${id}`, `ann${id}`, at, at],
  );
  await source.query(
    `INSERT INTO identities (id, user_id, application_id, login_type, subject_key, mail, mail_key, is_verified, created_at)
     VALUES (?, ?, 1, 'mail', ?, ?, ?, ?, ?)`,
    [id, id, key, mail, key, isVerified ? 1 : 0, at],
  );
  for (const until of linksUntil)
    await source.query(
      `INSERT INTO one_time_tokens (kind, token_hash, identity_id, created_at, expires_at)
       VALUES ('verify-mail', ?, ?, ?, ?)`,
      [`hash-${id}-${until}`, id, at, until],
    );
}

const rowsOf = (source: DataSource) =>
  source.query<Record<string, unknown>[]>('SELECT * FROM identities ORDER BY id');

async function numberOf(source: DataSource, table: string): Promise<number> {
  const [row] = await source.query<{ number: unknown }[]>(`SELECT COUNT(*) AS number FROM ${table}`);
  return Number(row!.number);
}

describe('the migration to pending mails', () => {
  beforeEach(async () => {
    dataSource = await open(version);
    await dataSource.query(
      "INSERT INTO applications (id, name, name_key, created_at) VALUES (1, 'a', 'a', 0)",
    );
    await add(dataSource, { id: 1, mail: 'ann@a.example', key: 'ann@a.example', isVerified: true });
    await add(dataSource, { id: 2, mail: 'Ben@a.example', key: 'ben@a.example', linksUntil: [5000, 7000] });
    await add(dataSource, { id: 3, mail: 'eve@a.example', key: 'eve@a.example' });
    const unicode = { mail: 'ann@bücher.example', key: 'ann@bücher.example', isVerified: true };
    await add(dataSource, { id: 4, ...unicode });
    const ascii = { mail: 'ann@xn--bcher-kva.example', key: 'ann@xn--bcher-kva.example' };
    await add(dataSource, { id: 5, ...ascii, isVerified: true });
    await add(dataSource, {
      id: 6,
      ...ascii,
      mail: `B${ascii.mail}`,
      key: `b${ascii.key}`,
      isVerified: true,
    });
    await add(dataSource, { id: 7, ...ascii, mail: `c${ascii.mail}`, key: `c${ascii.key}` });
    await dataSource.destroy();
  });

  it('keeps what is pending until its last link expires, and makes one key of a mailbox', async () => {
    dataSource = await open(version + 1);
    const key = 'ann@bücher.example';
    const confirmed = { pending_key: null, pending_until: null, is_contested: 0 };
    expect(
      (await rowsOf(dataSource)).map((row) => ({
        ...row,
        pending_until: row.pending_until && Number(row.pending_until),
      })),
    ).toMatchObject([
      { id: 1, subject_key: 'ann@a.example', ...confirmed },
      { id: 2, subject_key: 'pending-2', pending_key: 'ben@a.example', pending_until: 7000 },
      { id: 3, subject_key: 'pending-3', pending_key: 'eve@a.example', pending_until: 1000 },
      { id: 4, subject_key: key, mail_key: key, ...confirmed },
      // The mailbox of the one before: it keeps its former key, which no address has.
      { id: 5, subject_key: 'ann@xn--bcher-kva.example', mail_key: key, ...confirmed },
      { id: 6, subject_key: `b${key}`, mail_key: `b${key}`, ...confirmed },
      { id: 7, subject_key: 'pending-7', pending_key: `c${key}`, pending_until: 1000 },
    ]);
    expect(await numberOf(dataSource, 'one_time_tokens')).toBe(2);
  });

  it('is taken back with one registration of each mail, the newest', async () => {
    dataSource = await open(version + 1);
    await dataSource.query(
      `INSERT INTO users (id, application_id, handle, handle_key, name, name_key, avatar_url, created_at, updated_at)
       VALUES (8, 1, 'x', 'x', 'X', 'x', '', 0, 0), (9, 1, 'y', 'y', 'Y', 'y', '', 0, 0)`,
    );
    for (const [id, key] of [
      [8, 'ben@a.example'],
      [9, 'ann@a.example'],
    ])
      await dataSource.query(
        `INSERT INTO identities (id, user_id, application_id, login_type, subject_key, mail, mail_key, is_verified,
           pending_key, pending_until, created_at) VALUES (?, ?, 1, 'mail', ?, ?, '', 0, ?, 9000, 0)`,
        [id, id, `random-${id}`, key, key],
      );
    await dataSource.undoLastMigration();
    expect(await rowsOf(dataSource)).toMatchObject([
      { id: 1, subject_key: 'ann@a.example', is_verified: 1 },
      { id: 3, subject_key: 'eve@a.example', is_verified: 0 },
      { id: 4 },
      { id: 5 },
      { id: 6 },
      { id: 7, subject_key: 'cann@bücher.example', is_verified: 0 },
      { id: 8, subject_key: 'ben@a.example', is_verified: 0 },
    ]);
    expect(await numberOf(dataSource, 'users')).toBe(7);
    expect(await numberOf(dataSource, 'one_time_tokens')).toBe(0);
  });
});
