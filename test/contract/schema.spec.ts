import { isDeepStrictEqual } from 'node:util';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { migrations } from '../../migrations/index.js';
import { dataSourceOptions, type DatabaseSettings } from '../../src/database/data-source-options.js';
import { pendingMigrations, runMigrations } from '../../src/database/jobs/migrate.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { entities } from '../../src/entities.js';
import { AuthorizationCode } from '../../src/oauth/authorization-code.entity.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

type MigrationClass = new () => MigrationInterface;

/** Tables that no migration makes. */
const OWN_TABLES = ['leases', 'migrations'];

let created: TestDatabase;
let opened: PlutoDataSource[];
beforeEach(async () => {
  created = await createTestDatabase();
  opened = [];
});
afterEach(async () => {
  for (const dataSource of opened) await dataSource.destroy();
  await created.drop();
});

/** TypeORM reads the schema of MariaDB right only if it is told that it is one. */
function asMariadb(database: DatabaseSettings): DatabaseSettings {
  return database.kind === 'mysql'
    ? { ...database, url: database.url.replace(/^mysql:/, 'mariadb:') }
    : database;
}

async function open(classes: readonly MigrationClass[] = migrations): Promise<PlutoDataSource> {
  const dataSource = new PlutoDataSource(dataSourceOptions(asMariadb(created.database), entities, classes));
  await dataSource.initialize();
  opened.push(dataSource);
  return dataSource;
}

async function inRunner<T>(
  dataSource: PlutoDataSource,
  work: (runner: QueryRunner) => Promise<T>,
): Promise<T> {
  const runner = dataSource.createQueryRunner();
  try {
    return await work(runner);
  } finally {
    await runner.release();
  }
}

/** What TypeORM would change to make the schema what the entities say. */
async function drift(dataSource: PlutoDataSource): Promise<string[]> {
  const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
  return upQueries.map(({ query }) => query);
}

async function tablesOf(dataSource: PlutoDataSource): Promise<string[]> {
  const rows = await dataSource.query<{ name: string }[]>(
    created.database.kind === 'sqlite'
      ? "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
      : 'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()',
  );
  return rows
    .map(({ name }) => name)
    .filter((name) => !OWN_TABLES.includes(name))
    .sort();
}

/** The whole schema as the database itself writes it. */
async function describeSchema(dataSource: PlutoDataSource): Promise<string[]> {
  if (created.database.kind === 'sqlite') {
    const rows = await dataSource.query<{ sql: string }[]>(
      'SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name',
    );
    return rows.map(({ sql }) => sql);
  }
  const descriptions: string[] = [];
  for (const table of await tablesOf(dataSource)) {
    const [row] = await dataSource.query<Record<string, string>[]>(`SHOW CREATE TABLE ${table}`);
    descriptions.push(row!['Create Table']!.replace(/ AUTO_INCREMENT=\d+/, ''));
  }
  return descriptions;
}

describe('the migrations', () => {
  it('make exactly what the entities describe', async () => {
    const dataSource = await open();
    expect(await pendingMigrations(dataSource)).toBe(true);
    expect(await runMigrations(dataSource)).toHaveLength(migrations.length);
    expect(await pendingMigrations(dataSource)).toBe(false);
    expect(await drift(dataSource)).toEqual([]);
    expect(await tablesOf(dataSource)).toEqual(
      dataSource.entityMetadatas.map(({ tableName }) => tableName).sort(),
    );
  });

  it('do nothing when they are run again', async () => {
    const dataSource = await open();
    await runMigrations(dataSource);
    const before = await describeSchema(dataSource);
    expect(await runMigrations(dataSource)).toEqual([]);
    expect(await runMigrations(await open())).toEqual([]);
    expect(await describeSchema(dataSource)).toEqual(before);
  });

  it('can be taken back one by one, and run again', async () => {
    const dataSource = await open();
    await runMigrations(dataSource);
    const before = await describeSchema(dataSource);
    for (let undone = 0; undone < migrations.length; undone++) await dataSource.undoLastMigration();
    expect(await tablesOf(dataSource)).toEqual([]);
    expect(await pendingMigrations(dataSource)).toBe(true);
    expect(await runMigrations(dataSource)).toHaveLength(migrations.length);
    expect(await describeSchema(dataSource)).toEqual(before);
    expect(await drift(dataSource)).toEqual([]);
  });

  it('are run once by instances that start at the same time', async () => {
    const dataSources = await Promise.all([open(), open(), open()]);
    const runs = await Promise.all(dataSources.map((dataSource) => runMigrations(dataSource)));
    expect(runs.flat()).toHaveLength(migrations.length);
    expect(await drift(dataSources[0])).toEqual([]);
  });
});

describe('the migration of handles', () => {
  it('marks those that their owners have chosen, and none that Pluto made up', async () => {
    const at = migrations.findIndex(({ name }) => name.startsWith('MarkChosenHandles'));
    const before = await open(migrations.slice(0, at));
    await runMigrations(before);
    await before.query("INSERT INTO applications (id, name, name_key, created_at) VALUES (1, 'x', 'x', 0)");
    const handles = [
      'ann',
      'user-ab',
      'user-abcdefghjkm2',
      'user-abcdefghjkm23',
      'user_abcdefghjkm2',
      'kept',
    ];
    for (const handle of handles)
      await before.query(
        `INSERT INTO users (application_id, handle, handle_key, is_handle_updated, name, name_key, avatar_url,
          created_at, updated_at) VALUES (1, ?, ?, ?, 'x', 'x', '', 0, 0)`,
        [handle, handle, handle === 'kept'],
      );
    const after = await open(migrations.slice(0, at + 1));
    await runMigrations(after);
    const generated = await after.query('SELECT handle FROM users WHERE is_handle_updated = FALSE');
    expect(generated).toEqual([{ handle: 'user-abcdefghjkm2' }]);
  });
});

describe('the migration of the applications of clients', () => {
  it('gives each those of its sessions, and pluto', async () => {
    const at = migrations.findIndex(({ name }) => name.startsWith('ClientApplications'));
    const before = await open(migrations.slice(0, at));
    await runMigrations(before);
    for (const [id, name] of ['pluto', 'shop', 'bank'].entries())
      await before.query('INSERT INTO applications (id, name, name_key, created_at) VALUES (?, ?, ?, 0)', [
        id + 1,
        name,
        name,
      ]);
    await before.query(
      `INSERT INTO users (id, application_id, handle, handle_key, name, name_key, avatar_url, created_at, updated_at)
       VALUES (1, 2, 'ann', 'ann', 'x', 'x', '', 0, 0)`,
    );
    for (const [id, key] of ['desk', 'Desk', 'new'].entries())
      await before.query(
        `INSERT INTO oauth_clients (id, client_key, secret_hash, redirect_uri, status, created_at)
         VALUES (?, ?, 'x', 'x', 'approved', 0)`,
        [id + 1, key],
      );
    for (const [id, application] of [2, 2, 1].entries())
      await before.query(
        `INSERT INTO sessions (id, user_id, application_id, scopes, client_key, created_at, last_used_at)
         VALUES (?, 1, ?, '[]', 'desk', 0, 0)`,
        [`s${id}`, application],
      );
    const after = await open(migrations.slice(0, at + 1));
    await runMigrations(after);
    const rows = await after.query<{ client_id: number; application_id: number }[]>(
      'SELECT client_id, application_id FROM oauth_client_applications ORDER BY client_id, application_id',
    );
    expect(rows.map(({ client_id, application_id }) => [client_id, application_id])).toEqual([
      [1, 1],
      [1, 2],
      [2, 1],
      [3, 1],
    ]);
  });
});

describe('the migration of sign-ins to pages', () => {
  it('keeps page sessions and codes, of which it is not known how they came to be, up and down', async () => {
    const at = migrations.findIndex(({ name }) => name.startsWith('RecordPageSignIn'));
    const before = await open(migrations.slice(0, at));
    await runMigrations(before);
    for (const statement of [
      "INSERT INTO applications (id, name, name_key, created_at) VALUES (1, 'x', 'x', 0)",
      `INSERT INTO users (id, application_id, handle, handle_key, name, name_key, avatar_url, created_at, updated_at)
       VALUES (1, 1, 'ann', 'ann', 'x', 'x', '', 0, 0)`,
      `INSERT INTO oauth_clients (id, client_key, secret_hash, redirect_uri, status, created_at)
       VALUES (1, 'desk', 'x', 'x', 'approved', 0)`,
      `INSERT INTO page_sessions (id, token_hash, user_id, application_id, created_at, expires_at)
       VALUES (7, 'x', 1, 1, 0, 9)`,
      `INSERT INTO authorization_codes (id, code_hash, client_id, user_id, page_session_id, application_id,
         redirect_uri, scopes, access_token_ttl_seconds, created_at, expires_at)
       VALUES (8, 'x', 1, 1, 7, 1, 'x', '[]', 60, 0, 9)`,
    ])
      await before.query(statement);
    const read = async (source: PlutoDataSource) => [
      ...(await source.query<object[]>('SELECT * FROM page_sessions')),
      ...(await source.query<object[]>('SELECT * FROM authorization_codes')),
    ];
    const [session, code] = await read(before);
    expect(code).toMatchObject({ id: 8, page_session_id: 7 });

    const after = await open(migrations.slice(0, at + 1));
    await runMigrations(after);
    const unknown = { signed_in_by: '' };
    const [migratedSession, migratedCode] = await read(after);
    expect(migratedSession).toEqual({ ...session, ...unknown });
    expect(migratedCode).toEqual({ ...code, ...unknown, authenticated_at: expect.anything() });
    expect(await after.manager.findOneBy(AuthorizationCode, { id: 8 })).toMatchObject({ authenticatedAt: 0 });

    await after.undoLastMigration();
    expect(await read(after)).toEqual([session, code]);
  });
});

describe('text columns', () => {
  it('tell apart what only looks alike, such as tokens that differ in case', async () => {
    const dataSource = await open();
    await runMigrations(dataSource);
    const insert = "INSERT INTO applications (name, name_key, created_at) VALUES ('x', ?, 0)";
    for (const name of ['a', 'A', 'á', 'ａ']) await dataSource.query(insert, [name]);
    expect(await dataSource.query("SELECT name_key FROM applications WHERE name_key = 'a'")).toEqual([
      { name_key: 'a' },
    ]);
    await expect(dataSource.query(insert, ['a'])).rejects.toThrow();
  });
});

interface TableIndexName {
  table: string;
  name: string;
}

function indicesOf(dataSource: PlutoDataSource, tables: string[]): Promise<TableIndexName[]> {
  return inRunner(dataSource, async (runner) => {
    const described = await runner.getTables(tables);
    return described.flatMap((table) =>
      table.indices.map((index) => ({ table: table.name.split('.').at(-1)!, name: index.name! })),
    );
  });
}

describe.each(migrations.map((migration, index) => ({ name: migration.name, index })))(
  'a run of $name that was cut short',
  ({ index }) => {
    const classes = migrations.slice(0, index + 1);

    /** Takes tables away, those first that no other refers to, as if the run had not come to them yet. */
    async function dropLast(runner: QueryRunner, names: string[]): Promise<void> {
      let left = names;
      while (left.length > names.length / 2) {
        const tables = await runner.getTables(left);
        const referred = new Set(
          tables.flatMap(({ foreignKeys }) => foreignKeys.map((key) => key.referencedTableName)),
        );
        const last = left.findLast((name) => !referred.has(name))!;
        await runner.dropTable(last);
        left = left.filter((name) => name !== last);
      }
    }

    it('is completed by the next, which keeps what is there', async () => {
      const before = await open(classes.slice(0, -1));
      await runMigrations(before);
      const known = await tablesOf(before);
      const knownIndices = await indicesOf(before, known);
      const dataSource = await open(classes);
      await runMigrations(dataSource);
      const whole = await describeSchema(dataSource);
      await dataSource.query("INSERT INTO applications (name, name_key, created_at) VALUES ('x', 'x', 1)");
      const made = (await tablesOf(dataSource)).filter((name) => !known.includes(name));
      const isNew = (index: TableIndexName) => !knownIndices.some(({ name }) => name === index.name);
      const [, ...lastIndices] = (await indicesOf(dataSource, known)).filter(isNew);
      const isCutShort = made.length > 0 || lastIndices.length > 0;

      await inRunner(dataSource, async (runner) => {
        await dropLast(runner, made);
        for (const { table, name } of lastIndices) await runner.dropIndex(table, name);
        await runner.query('DELETE FROM migrations WHERE name = ?', [classes.at(-1)!.name]);
      });
      // A migration of one statement can only be cut short before it is recorded.
      expect(isDeepStrictEqual(await describeSchema(dataSource), whole)).toBe(!isCutShort);

      const next = await open(classes);
      expect(await runMigrations(next)).toEqual([classes.at(-1)!.name]);
      expect(await describeSchema(next)).toEqual(whole);
      expect(await next.query('SELECT name FROM applications')).toEqual([{ name: 'x' }]);
    });
  },
);
