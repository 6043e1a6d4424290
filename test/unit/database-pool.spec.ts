import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { DataSource, MigrationInterface, QueryRunner } from 'typeorm';
import { dataSourceOptions } from '../../src/database/data-source-options.js';
import {
  DatabaseUnavailable,
  isConnectionLost,
  isDatabaseUnavailable,
  isTransactionConflict,
} from '../../src/database/database-error.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { CommitOutcomeUnknown, Transactions } from '../../src/database/transactions.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';

class SlowMigration1700000000009 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('SELECT SLEEP(3)');
  }

  down(): Promise<void> {
    return Promise.resolve();
  }
}

let testDatabase: TestDatabase;
const open: DataSource[] = [];

async function connect(query: string): Promise<DataSource> {
  if (testDatabase.database.kind !== 'mysql') throw new Error('these tests are for MariaDB');
  const database = { kind: 'mysql', url: testDatabase.database.url.replace(/\?.*$/, '') + query } as const;
  const source = new PlutoDataSource(dataSourceOptions(database, [], [SlowMigration1700000000009]));
  await source.initialize();
  open.push(source);
  return source;
}

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

async function connectionId(source: DataSource | QueryRunner): Promise<number> {
  const [row] = (await source.query('SELECT CONNECTION_ID() AS id')) as { id: number }[];
  return Number(row!.id);
}

/** The server's connections to this database, apart from the one that asks. */
async function connectionIds(observer: DataSource): Promise<number[]> {
  const rows = await observer.query<{ id: number }[]>(
    'SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()',
  );
  return rows.map(({ id }) => Number(id));
}

// Without a server there is no such test; global-setup.ts says so.
if (process.env.TEST_DATABASE_URL) {
  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(async () => (testDatabase = await createTestDatabase()));
  afterEach(async () => {
    await Promise.all(open.splice(0).map((source) => source.destroy()));
    await testDatabase.drop();
  });
  describeMysql();
} else {
  describe('errors', () => {
    it('of an unavailable database differ from those of a statement', () => {
      for (const code of ['SQLITE_FULL', 'SQLITE_IOERR_WRITE', 'SQLITE_READONLY_DBMOVED', 'SQLITE_CANTOPEN'])
        expect([code, isDatabaseUnavailable(Object.assign(new Error(), { code }))]).toEqual([code, true]);
      expect(isDatabaseUnavailable({ code: 'SQLITE_CONSTRAINT_UNIQUE' })).toBe(false);
    });
  });
}

function describeMysql(): void {
  describe('a wait for a connection', () => {
    it('ends, and does not lose the connection that comes later', async () => {
      const source = await connect('?pool=2&acquire_timeout=1500');
      const holders = [source.createQueryRunner(), source.createQueryRunner()];
      await Promise.all(holders.map((holder) => holder.query('SELECT 1')));
      const errors = await Promise.all(Array.from({ length: 20 }, () => failure(source.query('SELECT 1'))));
      for (const error of errors) {
        expect(error).toMatchObject({ code: 'POOL_EXHAUSTED' });
        expect(isDatabaseUnavailable(error)).toBe(true);
        // An exhausted pool is not an outage.
        expect(isConnectionLost(error)).toBe(false);
      }
      await Promise.all(holders.map((holder) => holder.release()));
      const ids = await Promise.all(Array.from({ length: 20 }, () => connectionId(source)));
      expect(new Set(ids).size).toBeLessThanOrEqual(2);
      expect(await connectionIds(await connect('?pool=1'))).toHaveLength(2);
    });

    it('is served in order of arrival', async () => {
      const source = await connect('?pool=1');
      const holder = source.createQueryRunner();
      await holder.query('SELECT 1');
      const served: number[] = [];
      const waits = [1, 2, 3].map(async (number) => {
        await source.query('SELECT 1');
        served.push(number);
      });
      await sleep(50);
      await holder.release();
      await Promise.all(waits);
      expect(served).toEqual([1, 2, 3]);
    });
  });

  describe('a query that is not answered in time', () => {
    it('fails, and its connection is not reused', async () => {
      const source = await connect('?pool=1&query_timeout=2000');
      const observer = await connect('?pool=1');
      const runner = source.createQueryRunner();
      const id = await connectionId(runner);
      const error = await failure(runner.query('SELECT SLEEP(5)'));
      expect(error).toMatchObject({ code: 'QUERY_TIMEOUT' });
      expect(isConnectionLost(error)).toBe(true);
      expect(await failure(runner.query('SELECT 1'))).toMatchObject({ fatal: true });
      await runner.release();
      expect(await connectionId(source)).not.toBe(id);
      await eventually(async () => !(await connectionIds(observer)).includes(id), 'its end on the server');
      expect(await connectionIds(observer)).toHaveLength(1);
    });

    it('does not hold up the others: the database is there', async () => {
      const source = await connect('?pool=2&query_timeout=2000');
      const slow = failure(source.query('SELECT SLEEP(5)'));
      for (let attempt = 0; attempt < 20; attempt++) {
        await source.query('SELECT 1');
        await sleep(100);
      }
      expect(await slow).toMatchObject({ code: 'QUERY_TIMEOUT' });
    });

    it('is not one of a migration', async () => {
      const source = await connect('?query_timeout=2000');
      expect((await source.runMigrations()).map(({ name }) => name)).toEqual(['SlowMigration1700000000009']);
    });
  });

  describe('a lock wait timeout', () => {
    it('is a conflict that is retried, not a lost connection', async () => {
      const source = await connect('?query_timeout=2000');
      await source.query('CREATE TABLE counters (id int PRIMARY KEY, number int) ENGINE = InnoDB');
      await source.query('INSERT INTO counters VALUES (1, 0)');
      const increment = 'UPDATE counters SET number = number + 1 WHERE id = 1';
      const holder = source.createQueryRunner();
      await holder.startTransaction();
      await holder.query(increment);
      const error = await failure(source.query(increment));
      expect([isTransactionConflict(error), isConnectionLost(error)]).toEqual([true, false]);
      let attempts = 0;
      const work = new Transactions(source).run(async (manager) => {
        attempts += 1;
        await manager.query(increment);
      });
      await sleep(1500);
      await holder.commitTransaction();
      await holder.release();
      await work;
      expect(attempts).toBeGreaterThan(1);
      expect(await source.query('SELECT number FROM counters')).toEqual([{ number: 2 }]);
    });
  });

  describe('a transaction whose connection is lost', () => {
    const kill = async (observer: DataSource, id: number) => observer.query(`KILL ${id}`);

    it('is repeated within the first second only', async () => {
      const [source, observer] = [await connect(''), await connect('?pool=1')];
      const transactions = new Transactions(source);
      const loseAfter = (ms: number, counted: { attempts: number }) =>
        transactions.run(async (manager) => {
          counted.attempts += 1;
          if (counted.attempts > 1) return;
          const id = await connectionId(manager.queryRunner!);
          await sleep(ms);
          await kill(observer, id);
          await manager.query('SELECT 1');
        });
      const [early, late] = [{ attempts: 0 }, { attempts: 0 }];
      await loseAfter(0, early);
      expect(early.attempts).toBe(2);
      const error = await failure(loseAfter(1100, late));
      expect([late.attempts, isDatabaseUnavailable(error)]).toEqual([1, true]);
    });

    it('is never repeated once the commit was sent', async () => {
      const source = await connect('?query_timeout=2000');
      await source.query('CREATE TABLE notes (id int PRIMARY KEY) ENGINE = InnoDB');
      const blocker = (await connect('?pool=1')).createQueryRunner();
      let attempts = 0;
      const work = new Transactions(source).run(async (manager) => {
        attempts += 1;
        await manager.query('INSERT INTO notes VALUES (1)');
        // Holds up the commits of all others.
        await blocker.query('FLUSH TABLES WITH READ LOCK');
      });
      const error = await failure(work);
      await blocker.query('UNLOCK TABLES');
      await blocker.release();
      expect(error).toBeInstanceOf(CommitOutcomeUnknown);
      expect([attempts, isDatabaseUnavailable(error)]).toEqual([1, true]);
      expect((error as Error).cause).toMatchObject({ code: 'QUERY_TIMEOUT' });
    });
  });

  describe('an unreachable database', () => {
    it('is reported with the reason at the start', async () => {
      const database = { kind: 'mysql', url: 'mysql://u:hunter2@127.0.0.1:1/pluto' } as const;
      const error = await failure(new PlutoDataSource(dataSourceOptions(database, [], [])).initialize());
      expect(error).toBeInstanceOf(DatabaseUnavailable);
      expect((error as Error).message).toContain('ECONNREFUSED');
      expect((error as Error).message).not.toContain('hunter2');
    });
  });
}
