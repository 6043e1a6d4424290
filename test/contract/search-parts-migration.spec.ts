import { migrations } from '../../migrations/index.js';
import { dataSourceOptions } from '../../src/database/data-source-options.js';
import { runMigrations } from '../../src/database/jobs/migrate.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { entities } from '../../src/entities.js';
import { UserSearch } from '../../src/users/user-search.query.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

/** More than the migration reads in one statement. */
const COUNT = 1100;
const version = migrations.findIndex(({ name }) => name === 'IndexSearch1796300000000');

let created: TestDatabase;
let dataSource: PlutoDataSource;

async function open(upTo: number): Promise<PlutoDataSource> {
  const source = new PlutoDataSource(
    dataSourceOptions(created.database, entities, migrations.slice(0, upTo)),
  );
  await source.initialize();
  await runMigrations(source);
  return source;
}

beforeEach(async () => {
  created = await createTestDatabase();
  dataSource = await open(version);
  await dataSource.query("INSERT INTO applications (id, name, name_key, created_at) VALUES (1, 'a', 'a', 0)");
  for (let id = 1; id <= COUNT; id++) {
    await dataSource.query(
      `INSERT INTO users (id, application_id, handle, handle_key, name, name_key, avatar_url, created_at, updated_at)
       VALUES (?, 1, ?, ?, '王小明', '王小明', '', 0, 0)`,
      [id, `user${id}`, `user${id}`],
    );
    const mail = `m${id}@mail.example`;
    await dataSource.query(
      `INSERT INTO identities (user_id, application_id, login_type, subject_key, mail, mail_key, is_verified, created_at)
       VALUES (?, 1, 'mail', ?, ?, ?, 1, 0)`,
      [id, mail, mail, mail],
    );
  }
  await dataSource.destroy();
});
afterEach(async () => {
  if (dataSource.isInitialized) await dataSource.destroy();
  await created.drop();
});

const totalOf = (text: string) => new UserSearch(dataSource, text).count();

async function numberOfParts(): Promise<number> {
  const [row] = await dataSource.query<{ number: unknown }[]>('SELECT COUNT(*) AS number FROM search_parts');
  return Number(row!.number);
}

describe('the migration to search parts', () => {
  it('makes every account findable by parts, also when it is run again halfway and after it was undone', async () => {
    dataSource = await open(version + 1);
    expect(await totalOf('小明')).toBe(COUNT);
    expect(await totalOf('@mail')).toBe(COUNT);
    expect(await totalOf('er1100')).toBe(1);
    const complete = await numberOfParts();

    await dataSource.query('DELETE FROM search_parts WHERE user_id > 300');
    await dataSource.query("DELETE FROM migrations WHERE name = 'IndexSearch1796300000000'");
    expect(await runMigrations(dataSource)).toEqual(['IndexSearch1796300000000']);
    expect(await numberOfParts()).toBe(complete);

    await dataSource.undoLastMigration();
    expect(await runMigrations(dataSource)).toEqual(['IndexSearch1796300000000']);
    expect(await numberOfParts()).toBe(complete);
  });
});
