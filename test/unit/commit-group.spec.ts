import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EntityManager } from 'typeorm';
import type { BetterSqlite3Driver } from 'typeorm/driver/better-sqlite3/BetterSqlite3Driver.js';
import { dataSourceOptions } from '../../src/database/data-source-options.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { sqliteUse } from '../../src/database/sqlite/serialized-sqlite.js';
import { SqliteConnection } from '../../src/database/sqlite/sqlite-connection.js';
import { Transactions } from '../../src/database/transactions.js';

const MEMBERS = 20;

let folder: string;
let dataSource: PlutoDataSource;
let transactions: Transactions;
/** Sees what is committed, and nothing else. */
let onlooker: SqliteConnection;
let commits: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pluto-commit-group-'));
  const path = join(folder, 'pluto.db');
  dataSource = new PlutoDataSource(dataSourceOptions({ kind: 'sqlite', path }, [], []));
  await dataSource.initialize();
  await dataSource.query('CREATE TABLE shelves (id INTEGER PRIMARY KEY)');
  await dataSource.query('CREATE TABLE books (id TEXT PRIMARY KEY, shelf INTEGER REFERENCES shelves (id))');
  transactions = new Transactions(dataSource);
  onlooker = new SqliteConnection(path);
  countCommits();
});
afterEach(async () => {
  onlooker.close();
  await dataSource.destroy();
  rmSync(folder, { recursive: true });
});

function countCommits(): void {
  commits = 0;
  const connection = (dataSource.driver as BetterSqlite3Driver).databaseConnection as SqliteConnection;
  const commit = connection.commit.bind(connection);
  jest.spyOn(connection, 'commit').mockImplementation(() => {
    commits++;
    return commit();
  });
}

const add = (manager: EntityManager, id: string, shelf: number | null = null) =>
  manager.query('INSERT INTO books (id, shelf) VALUES (?, ?)', [id, shelf]);

const addAlone = (id: string) => transactions.run((manager) => add(manager, id));

function committed(): string[] {
  const rows = onlooker.prepare('SELECT id FROM books ORDER BY id').all() as { id: string }[];
  return rows.map(({ id }) => id);
}

const numbered = (about: string) => Array.from({ length: MEMBERS }, (_, index) => `${about}${index + 10}`);

describe('concurrent transactions on SQLite', () => {
  it('are committed together, and none resolves before its commit', async () => {
    const ids = numbered('b');
    await Promise.all(ids.map(async (id) => addAlone(id).then(() => expect(committed()).toContain(id))));
    expect(committed()).toEqual(ids);
    expect(commits).toBeLessThan(MEMBERS / 4);
  });

  it('are committed without blocking the event loop', async () => {
    const connection = (dataSource.driver as BetterSqlite3Driver).databaseConnection as SqliteConnection;
    let turnsMeanwhile = 0;
    jest.spyOn(connection, 'commit').mockImplementation(async () => {
      let isUnderWay = true;
      setImmediate(() => (turnsMeanwhile += isUnderWay ? 1 : 0));
      await SqliteConnection.prototype.commit.call(connection);
      isUnderWay = false;
    });
    // A quick disk may be done with one before the loop has gone round; on the loop itself none would let it.
    for (let book = 0; turnsMeanwhile === 0 && book < 500; book++) await addAlone(`b${book}`);
    expect(turnsMeanwhile).toBeGreaterThan(0);
  });

  it('continue when one of them fails, which stores nothing', async () => {
    const ids = numbered('b');
    const results = await Promise.allSettled(
      ids.map((id, index) =>
        transactions.run(async (manager) => {
          await add(manager, id);
          if (index % 3 === 0) throw new Error('changed my mind');
        }),
      ),
    );
    const failed = ids.filter((_, index) => index % 3 === 0);
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(failed.length);
    expect(committed()).toEqual(ids.filter((id) => !failed.includes(id)));
  });

  it('continue when one of them violates a key', async () => {
    const results = await Promise.allSettled(['a', 'b', 'a', 'c', 'b', 'd'].map(addAlone));
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect(committed()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('all fail when they cannot be committed, and store nothing', async () => {
    const ids = numbered('b');
    const results = await Promise.allSettled(
      ids.map((id, index) =>
        transactions.run(async (manager) => {
          if (index === 7) {
            await manager.query('PRAGMA defer_foreign_keys = ON');
            await add(manager, id, 4711);
          } else {
            await add(manager, id);
          }
        }),
      ),
    );
    expect(results.map(({ status }) => status)).toEqual(ids.map(() => 'rejected'));
    expect(committed()).toEqual([]);
    await addAlone('later');
    expect(committed()).toEqual(['later']);
  });

  it('are committed before a statement that belongs to none of them', async () => {
    const before = ['a', 'b', 'c'].map(addAlone);
    while (sqliteUse(dataSource.driver)!.waiting < before.length - 1) await Promise.resolve();
    const between = dataSource.query<{ id: string }[]>('SELECT id FROM books').then((rows) => {
      expect(committed()).toEqual(rows.map(({ id }) => id));
      return rows.length;
    });
    const after = transactions.run(async (manager) => {
      await add(manager, 'd');
      throw new Error('no');
    });
    await expect(after).rejects.toThrow('no');
    await Promise.all(before);
    expect(await between).toBe(3);
    expect(committed()).toEqual(['a', 'b', 'c']);
  });

  it('are committed when the transaction they wait for is released', async () => {
    const done = addAlone('a');
    const waiter = dataSource.createQueryRunner();
    const waiting = waiter.startTransaction().catch((error: unknown) => error);
    while (sqliteUse(dataSource.driver)!.waiting === 0) await Promise.resolve();
    await waiter.release();
    await done;
    expect(committed()).toEqual(['a']);
    expect(await waiting).toBeInstanceOf(Error);
    await addAlone('b');
    expect(committed()).toEqual(['a', 'b']);
  });

  it('are committed when the last of them leaves its own open', async () => {
    const done = addAlone('a');
    const careless = dataSource.createQueryRunner();
    const left = careless.startTransaction().then(() => add(careless.manager, 'b'));
    await left;
    await careless.release();
    await done;
    expect(committed()).toEqual(['a']);
  });

  it('are committed although all following transactions are rolled back', async () => {
    let isDone = false;
    let changes = 0;
    const waver = async () => {
      while (!isDone && changes < 500) {
        const wavering = transactions.run(async (manager) => {
          await add(manager, 'never');
          throw new Error('changed my mind');
        });
        await wavering.catch(() => changes++);
      }
    };
    const waverers = [waver(), waver(), waver()];
    await addAlone('a').then(() => (isDone = true));
    await Promise.all(waverers);
    expect(committed()).toEqual(['a']);
    expect(changes).toBeLessThan(100);
  });

  it('are split when there are too many for one commit', async () => {
    await Promise.all(Array.from({ length: 100 }, (_, index) => addAlone(`b${index}`)));
    expect(committed()).toHaveLength(100);
    expect(commits).toBeGreaterThan(2);
    expect(commits).toBeLessThan(20);
  });
});
