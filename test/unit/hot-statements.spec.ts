import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrations } from '../../migrations/index.js';
import { dataSourceOptions } from '../../src/database/data-source-options.js';
import { runMigrations } from '../../src/database/jobs/migrate.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { Purge } from '../../src/database/jobs/purge.js';
import { Transactions } from '../../src/database/transactions.js';
import { entities } from '../../src/entities.js';
import { Application } from '../../src/applications/application.entity.js';
import { RefreshToken } from '../../src/token/refresh-token.entity.js';
import { RefreshTokensService } from '../../src/token/refresh-tokens.service.js';
import { Session } from '../../src/token/session.entity.js';
import { SessionsService } from '../../src/token/sessions.service.js';
import { ProfileQuery } from '../../src/users/profile.query.js';
import { User } from '../../src/users/user.entity.js';

let folder: string;
let dataSource: PlutoDataSource;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pluto-hot-statements-'));
  const path = join(folder, 'pluto.db');
  dataSource = new PlutoDataSource(dataSourceOptions({ kind: 'sqlite', path }, entities, migrations));
  await dataSource.initialize();
  await runMigrations(dataSource);
  const { manager } = dataSource;
  const times = { createdAt: 1, updatedAt: 1 };
  await manager.insert(Application, { id: 1, name: 'shop', nameKey: 'shop', ...times });
  const ids = Array.from({ length: 200 }, (_, index) => index + 1);
  const named = (id: number) => ({
    handle: `u${id}`,
    handleKey: `u${id}`,
    name: `u${id}`,
    nameKey: `u${id}`,
  });
  await manager.insert(
    User,
    ids.map((id) => ({ id, applicationId: 1, ...named(id), ...times })),
  );
  const opened = { applicationId: 1, scopes: [], createdAt: 1, lastUsedAt: 1 };
  await manager.insert(
    Session,
    ids.map((id) => ({ id: `s${id}`, userId: id, ...opened })),
  );
  const first = { generation: 1, createdAt: 1, expiresAt: 1 };
  await manager.insert(
    RefreshToken,
    ids.map((id) => ({ sessionId: `s${id}`, tokenHash: `h${id}`, ...first })),
  );
});
afterAll(async () => {
  await dataSource.destroy();
  rmSync(folder, { recursive: true });
});

/** Each by the name of its table in the statement, and its key. */
const finders: [string, string, (dataSource: PlutoDataSource) => (key: number) => Promise<unknown>][] = [
  [
    't',
    'token_hash',
    (source) => {
      const tokens = new RefreshTokensService(source);
      return (key) => tokens.find(`h${key}`);
    },
  ],
  [
    'sessions',
    'id',
    (source) => {
      const sessions = new SessionsService(source, new Purge(source, new Transactions(source)));
      return (key) => sessions.findBearer(`s${key}`);
    },
  ],
  [
    'u',
    'rowid',
    (source) => {
      const profiles = new ProfileQuery(source);
      return (key) => profiles.find(key);
    },
  ],
];

/** The first steps of the plans for one key and more, as SQLite tells them. */
async function firstStepsOf(finder: (typeof finders)[number][2]): Promise<string[]> {
  const find = finder(dataSource);
  const read = jest.spyOn(dataSource, 'read');
  for (const count of [1, 2, 4, 8, 16, 32, 64])
    await Promise.all(Array.from({ length: count }, (_, index) => find(index + 1)));
  const sent = read.mock.calls;
  read.mockRestore();
  expect(sent).toHaveLength(7);
  const plans = sent.map(([sql, parameters]) =>
    dataSource.query<{ detail: string }[]>(`EXPLAIN QUERY PLAN ${sql}`, parameters),
  );
  return (await Promise.all(plans)).map(([step]) => step!.detail);
}

describe('what every request reads on SQLite', () => {
  it.each(finders)('is found by its keys, however many: %s by %s', async (table, key, finder) => {
    for (const step of await firstStepsOf(finder))
      expect(step).toMatch(new RegExp(`^SEARCH ${table} .*\\(${key}=\\?\\)$`));
  });

  it.each(finders)(
    'begins there also where somebody has analysed tables that were small: %s',
    async (table, _, finder) => {
      await dataSource.query('ANALYZE');
      for (const step of await firstStepsOf(finder))
        expect(step).toMatch(new RegExp(`^(SEARCH|SCAN) ${table}\\b`));
    },
  );
});
