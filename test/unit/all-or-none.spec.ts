import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { AllOrNone } from '../../src/database/all-or-none.js';
import { isUniqueViolation } from '../../src/database/constraints.js';
import { dataSourceOptions } from '../../src/database/data-source-options.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import type { Change } from '../../src/database/statements.js';
import { CommitOutcomeUnknown, Transactions } from '../../src/database/transactions.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let testDatabase: TestDatabase;
let dataSource: PlutoDataSource;
let allOrNone: AllOrNone;
const open: PlutoDataSource[] = [];

async function connect(): Promise<PlutoDataSource> {
  const source = new PlutoDataSource(dataSourceOptions(testDatabase.database, [], []));
  open.push(await source.initialize().then(() => source));
  return source;
}

beforeAll(() => Logger.overrideLogger(false));
beforeEach(async () => {
  testDatabase = await createTestDatabase();
  dataSource = await connect();
  allOrNone = new AllOrNone(dataSource, new Transactions(dataSource));
  await dataSource.query('CREATE TABLE books (id varchar(9) PRIMARY KEY, shelf varchar(99) NOT NULL)');
  await dataSource.query("INSERT INTO books VALUES ('a', 'x'), ('b', 'x')");
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((source) => source.destroy()));
  await testDatabase.drop();
});

const add = (id: string, shelf: string): Change => ({
  sql: 'INSERT INTO books VALUES (?, ?)',
  parameters: [id, shelf],
});
const move = (id: string, shelf: string): Change => ({
  sql: 'UPDATE books SET shelf = ? WHERE id = ?',
  parameters: [shelf, id],
});

async function shelves(): Promise<Record<string, string>> {
  const rows = await dataSource.query<{ id: string; shelf: string }[]>('SELECT * FROM books');
  return Object.fromEntries(rows.map(({ id, shelf }) => [id, shelf]));
}

describe('changes that hold together', () => {
  it('are made, whatever is in their values', async () => {
    const odd = `?'"\\; COMMIT; END -- $1`;
    expect(await allOrNone.change([move('a', odd), add('c', odd)])).toBe(true);
    expect(await shelves()).toEqual({ a: odd, b: 'x', c: odd });
  });

  it('are all undone when one of them finds no row', async () => {
    expect(await allOrNone.change([move('a', 'y'), move('z', 'y'), add('c', 'y')])).toBe(false);
    expect(await allOrNone.change([add('c', 'y'), move('a', 'y'), move('z', 'y')])).toBe(false);
    expect(await shelves()).toEqual({ a: 'x', b: 'x' });
  });

  it('are all undone when one of them finds two', async () => {
    const moveAll = { sql: 'UPDATE books SET shelf = ?', parameters: ['y'] };
    expect(await allOrNone.change([add('c', 'y'), moveAll])).toBe(false);
    expect(await shelves()).toEqual({ a: 'x', b: 'x' });
  });

  it('are made where a row is found that says so already', async () => {
    expect(await allOrNone.change([move('a', 'x'), move('b', 'y')])).toBe(true);
    expect(await shelves()).toEqual({ a: 'x', b: 'y' });
  });

  it('are all undone when one of them breaks a key', async () => {
    const broken = allOrNone.change([move('a', 'y'), add('b', 'y')]);
    expect(await broken.catch(isUniqueViolation)).toBe(true);
    expect(await shelves()).toEqual({ a: 'x', b: 'x' });
    expect(await allOrNone.change([move('a', 'y')])).toBe(true);
  });

  it('are refused inside a transaction, from which they would escape', async () => {
    const work = new Transactions(dataSource).run(() => allOrNone.change([move('a', 'y')]));
    await expect(work).rejects.toThrow('past the running transaction');
    expect(await shelves()).toEqual({ a: 'x', b: 'x' });
  });

  it('are made or not for each of many at once, whatever becomes of the others', async () => {
    await allOrNone.change([move('a', 'x')]);
    const { pool } = dataSource;
    const commits = pool ? jest.spyOn(pool, 'send') : jest.spyOn(Transactions.prototype, 'run');
    const all = Array.from({ length: 40 }, (_, index): Change[] =>
      index % 4 === 0 ? [add(`m${index}`, 'y'), move('none', 'y')] : [add(`m${index}`, 'y')],
    );
    const made = await Promise.all(all.map((changes) => allOrNone.change(changes)));
    expect(made).toEqual(all.map((_, index) => index % 4 !== 0));
    expect(Object.keys(await shelves()).sort()).toEqual(
      ['a', 'b', ...made.flatMap((isMade, index) => (isMade ? [`m${index}`] : []))].sort(),
    );
    // Thirty-two in one, and the rest in another.
    expect(commits.mock.calls.length).toBe(2);
    commits.mockRestore();
  });

  it('fail by themselves where one of many breaks a key', async () => {
    const outcomes = await Promise.allSettled(
      // None wants a row of another: sent apart, one would be in the way of the other.
      ['c', 'a', 'd', 'b', 'e'].map((id) => allOrNone.change([add(`with-${id}`, 'y'), add(id, 'y')])),
    );
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect(outcomes.map((one) => one.status === 'rejected' && isUniqueViolation(one.reason))).toEqual([
      false,
      true,
      false,
      true,
      false,
    ]);
    const made = ['c', 'd', 'e'].flatMap((id) => [id, `with-${id}`]);
    expect(await shelves()).toEqual({ a: 'x', b: 'x', ...Object.fromEntries(made.map((id) => [id, 'y'])) });
  });

  it('are made for one alone of many who want them on a condition', async () => {
    const take = { sql: "UPDATE books SET shelf = 'mine' WHERE id = 'a' AND shelf = 'x'", parameters: [] };
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, index) => allOrNone.change([take, add(`t${index}`, 'y')])),
    );
    expect(made.filter((isMade) => isMade)).toHaveLength(1);
    expect(Object.keys(await shelves())).toHaveLength(3);
  });
});

// Without a server there is no such test; global-setup.ts says so.
if (process.env.TEST_DATABASE_URL) describeMariaDb();

function describeMariaDb(): void {
  /** Has book `a` locked until it is called. */
  async function lock(): Promise<() => Promise<void>> {
    const runner = (await connect()).createQueryRunner();
    await runner.startTransaction();
    await runner.query("UPDATE books SET shelf = 'locked' WHERE id = 'a'");
    return async () => {
      if (runner.isTransactionActive) await runner.rollbackTransaction();
      await runner.release();
    };
  }

  /** Takes the seconds, if it is let. */
  const linger = (seconds: number): Change => ({
    sql: `UPDATE books SET shelf = CONCAT('y', SLEEP(${seconds})) WHERE id = 'a'`,
    parameters: [],
  });

  /** Ends the connection that lingers. */
  async function killLingering(): Promise<void> {
    const find = () =>
      dataSource.query<{ id: number }[]>(
        "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE 'UPDATE books SET shelf = CONCAT%'",
      );
    let [found] = await find();
    while (!found) [found] = await find();
    await dataSource.query(`KILL ${found.id}`);
  }

  describe('changes that hold together on MariaDB', () => {
    it('are one statement', async () => {
      await allOrNone.change([move('a', 'y')]);
      const send = jest.spyOn(dataSource.pool!, 'send');
      const others = jest.spyOn(dataSource.logger, 'logQuery');
      await allOrNone.change([move('a', 'z'), add('c', 'z')]);
      expect([send.mock.calls.length, others.mock.calls.length]).toEqual([1, 0]);
      others.mockRestore();
    });

    it('are sent one by one to MySQL, which does not know such statements', async () => {
      const send = jest.spyOn(dataSource.pool!, 'send').mockResolvedValueOnce([{ version: '8.4.3' }]);
      const others = jest.spyOn(dataSource.logger, 'logQuery');
      expect(await allOrNone.change([move('a', 'y'), add('c', 'y')])).toBe(true);
      expect(await allOrNone.change([move('b', 'y'), add('a', 'y')]).catch(isUniqueViolation)).toBe(true);
      expect(send).toHaveBeenCalledTimes(1);
      expect(others.mock.calls.map(([sql]) => sql)).toContain('START TRANSACTION');
      others.mockRestore();
      expect(await shelves()).toEqual({ a: 'y', b: 'x', c: 'y' });
    });

    it('are made although the database was away when it was asked what it is', async () => {
      jest.spyOn(dataSource.pool!, 'send').mockRejectedValueOnce(new Error('away'));
      await expect(allOrNone.change([move('a', 'y')])).rejects.toThrow('away');
      expect(await allOrNone.change([move('a', 'y')])).toBe(true);
    });

    it('are not made while another transaction is in the way, and those of others are', async () => {
      const unlock = await lock();
      const begun = performance.now();
      const lists = [[add('c', 'y')], [add('d', 'y'), move('a', 'y')], [add('e', 'y')]];
      expect(await Promise.all(lists.map((changes) => allOrNone.change(changes)))).toEqual([
        true,
        false,
        true,
      ]);
      // Nobody has waited for the lock, for which others are given a second.
      expect(performance.now() - begun).toBeLessThan(900);
      await unlock();
      expect(await shelves()).toEqual({ a: 'x', b: 'x', c: 'y', e: 'y' });
      expect((await dataSource.query<object[]>('SELECT @@innodb_lock_wait_timeout AS seconds'))[0]).toEqual({
        seconds: 1,
      });
    });

    it('never end in a deadlock, in whatever order they come', async () => {
      const source = await connect();
      const other = new AllOrNone(source, new Transactions(source));
      const sends = [dataSource, source].map(({ pool }) => jest.spyOn(pool!, 'send'));
      for (let round = 0; round < 20; round++) {
        const forth = ['a', 'b'].map((id) => allOrNone.change([move(id, `f${round}`)]));
        const back = ['b', 'a'].map((id) => other.change([move(id, `b${round}`)]));
        await Promise.all([...forth, ...back]);
      }
      const sent = sends.flatMap(({ mock }) => mock.results.map(({ value }) => value as Promise<unknown>));
      const failed = (await Promise.allSettled(sent)).flatMap((one) =>
        one.status === 'rejected' ? [(one.reason as { errno?: number }).errno] : [],
      );
      // Only ever 1205: that a lock is held.
      expect(failed.filter((errno) => errno !== 1205)).toEqual([]);
      expect(sent.length).toBeGreaterThanOrEqual(40);
      sends.forEach((send) => send.mockRestore());
    });

    it('are refused when they have waited as long as anybody may', async () => {
      await allOrNone.change([move('a', 'x')]);
      const patience = jest.spyOn(dataSource.pool!, 'acquireTimeoutMs', 'get').mockReturnValue(-1);
      await expect(allOrNone.change([move('a', 'y')])).rejects.toMatchObject({ code: 'POOL_EXHAUSTED' });
      patience.mockRestore();
      expect(await shelves()).toEqual({ a: 'x', b: 'x' });
      expect(await allOrNone.change([move('a', 'y')])).toBe(true);
    });

    it('are not made when the connection is lost at once', async () => {
      await allOrNone.change([move('a', 'x')]);
      const work = Promise.all([
        allOrNone.change([add('c', 'y'), linger(3)]),
        allOrNone.change([add('d', 'y')]),
      ]);
      await killLingering();
      expect(await work).toEqual([false, false]);
      expect(await shelves()).toEqual({ a: 'x', b: 'x' });
    });

    it('all fail alike where the database can do nothing at all', async () => {
      await allOrNone.change([move('a', 'x')]);
      const readOnly = Object.assign(new Error('read-only'), { errno: 1290 });
      const send = jest.spyOn(dataSource.pool!, 'send').mockRejectedValueOnce(readOnly);
      const outcomes = await Promise.allSettled(['c', 'd'].map((id) => allOrNone.change([add(id, 'y')])));
      expect(outcomes).toEqual([1, 2].map(() => ({ status: 'rejected', reason: readOnly })));
      expect(send).toHaveBeenCalledTimes(1);
    });

    it('are not known to be made or not when it is lost later', async () => {
      await allOrNone.change([move('a', 'x')]);
      const work = allOrNone.change([linger(3)]);
      const lost = expect(work).rejects.toBeInstanceOf(CommitOutcomeUnknown);
      await sleep(1200);
      await killLingering();
      await lost;
    });
  });
}
