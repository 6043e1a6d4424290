import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { isForeignKeyViolation } from '../../src/database/constraints.js';
import { LeaseLost, LeaseUnavailable, withFreeLease, withLease } from '../../src/database/jobs/lease.js';
import { pendingMigrations, runMigrations } from '../../src/database/jobs/migrate.js';
import {
  books,
  connect,
  CreateBooks1700000000002,
  CreateShelves1700000000001,
  dataSource,
  failure,
  onMysql,
  testDatabase,
  titles,
  useBooks,
} from '../support/books.js';

useBooks();

class FailingMigration1700000000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('INSERT INTO books (id) VALUES (?)', ['left-over']);
    throw new Error('out of ink');
  }

  down(): Promise<void> {
    return Promise.resolve();
  }
}

describe('withLease', () => {
  const times = { leaseSeconds: 2, waitSeconds: 10 };

  it('lets one owner in at a time', async () => {
    const other = await connect();
    let inside = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++inside);
      await sleep(20);
      inside -= 1;
    };
    await Promise.all(
      [dataSource, other, dataSource, other].map((source) => withLease(source, 'one', work, times)),
    );
    expect(most).toBe(1);
  });

  it('is kept for as long as the work takes', async () => {
    const work = withLease(dataSource, 'long', () => sleep(3500), { ...times, leaseSeconds: 1 });
    await sleep(100);
    const intruder = withLease(await connect(), 'long', () => Promise.resolve(), {
      leaseSeconds: 2,
      waitSeconds: 3,
    });
    await expect(intruder).rejects.toBeInstanceOf(LeaseUnavailable);
    await work;
  });

  it('passes on from a dead owner', async () => {
    await withLease(dataSource, 'other', () => Promise.resolve(), times);
    await dataSource.query("INSERT INTO leases (name, owner, expires_at) VALUES ('dead', 'nobody', ?)", [
      Math.floor(Date.now() / 1000) + 1,
    ]);
    const started = Date.now();
    await withLease(dataSource, 'dead', () => Promise.resolve(), times);
    expect(Date.now() - started).toBeGreaterThan(500);
  });

  it('passes on from an owner that died before the clock was set back', async () => {
    await withLease(dataSource, 'other', () => Promise.resolve(), times);
    await dataSource.query("INSERT INTO leases (name, owner, expires_at) VALUES ('ahead', 'nobody', ?)", [
      Math.floor(Date.now() / 1000) + 86_400,
    ]);
    await withLease(dataSource, 'ahead', () => Promise.resolve(), { leaseSeconds: 2, waitSeconds: 0 });
  });

  it('signals to the work that the lease was lost', async () => {
    const work = withLease(
      dataSource,
      'stolen',
      async (signal) => {
        await dataSource.query("UPDATE leases SET owner = 'thief'");
        await sleep(1500);
        expect(signal.aborted).toBe(true);
      },
      times,
    );
    await expect(work).rejects.toBeInstanceOf(LeaseLost);
  });

  it('is free after its work has failed, and reports that failure', async () => {
    await expect(withLease(dataSource, 'x', () => Promise.reject(new Error('no')), times)).rejects.toThrow(
      'no',
    );
    await withLease(dataSource, 'x', () => Promise.resolve(), { leaseSeconds: 2, waitSeconds: 0 });
  });
});

describe('migrations', () => {
  it('run once, whoever asks first', async () => {
    const other = await connect();
    expect(await pendingMigrations(dataSource)).toBe(true);
    const runs = await Promise.all([runMigrations(dataSource), runMigrations(other)]);
    expect(runs.flat()).toEqual(['CreateShelves1700000000001', 'CreateBooks1700000000002']);
    expect(await pendingMigrations(dataSource)).toBe(false);
    expect(await runMigrations(dataSource)).toEqual([]);
  });

  it('leave a schema that does not differ from the entities', async () => {
    await runMigrations(dataSource);
    if (testDatabase.database.kind === 'mysql') {
      testDatabase.database.url = testDatabase.database.url.replace('mysql:', 'mariadb:');
    }
    const { upQueries } = await (await connect()).driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).toEqual([]);
  });

  it('leave foreign keys on when they fail', async () => {
    await runMigrations(dataSource);
    const other = await connect([
      CreateShelves1700000000001,
      CreateBooks1700000000002,
      FailingMigration1700000000003,
    ]);
    // TypeORM prints that it has failed.
    const printed = jest.spyOn(console, 'log').mockImplementation();
    await expect(runMigrations(other)).rejects.toThrow('out of ink');
    expect(printed).toHaveBeenCalledTimes(1);
    printed.mockRestore();
    expect(await titles()).toEqual([]);
    expect(isForeignKeyViolation(await failure(books(other).insert({ id: 'a', shelfId: 99 })))).toBe(true);
  });

  onMysql('give the database a binary collation first', async () => {
    await runMigrations(dataSource);
    const collations = await dataSource.query<{ collation: string }[]>(
      'SELECT DISTINCT table_collation AS collation FROM information_schema.tables WHERE table_schema = DATABASE()',
    );
    expect(collations).toEqual([{ collation: 'utf8mb4_bin' }]);
    await books().insert([{ id: 'a' }, { id: 'A' }]);
  });

  onMysql('refuse a database of another collation that is in use', async () => {
    await dataSource.query('CREATE TABLE wordpress (id int PRIMARY KEY)');
    await expect(runMigrations(dataSource)).rejects.toThrow(/requires utf8mb4_bin.*wordpress/);
    expect(await pendingMigrations(dataSource)).toBe(true);
  });
});

describe('withFreeLease', () => {
  it('skips the work while another has the lease', async () => {
    const works: string[] = [];
    const work = async (name: string) => {
      works.push(name);
      await sleep(300);
    };
    const first = withFreeLease(dataSource, 'upkeep', () => work('first'), 60);
    await sleep(100);
    expect(await withFreeLease(await connect(), 'upkeep', () => work('second'), 60)).toBe(false);
    expect(await first).toBe(true);
    expect(await withFreeLease(dataSource, 'upkeep', () => work('third'), 60)).toBe(true);
    expect(works).toEqual(['first', 'third']);
  });
});
