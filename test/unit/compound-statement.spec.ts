import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { CompoundStatement } from '../../src/database/mysql/compound-statement.js';
import { isUniqueViolation } from '../../src/database/constraints.js';
import { dataSourceOptions } from '../../src/database/data-source-options.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import type { SqlStatement } from '../../src/database/sql-statement.js';
import { CommitOutcomeUnknown, Transactions } from '../../src/database/transactions.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let testDatabase: TestDatabase;
let dataSource: PlutoDataSource;
let compound: CompoundStatement;
let isMariaDb: boolean;
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
  compound = new CompoundStatement(dataSource);
  await dataSource.query('CREATE TABLE books (id varchar(9) PRIMARY KEY, shelf varchar(99) NOT NULL)');
  await dataSource.query("INSERT INTO books VALUES ('a', 'x'), ('b', 'x')");
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((source) => source.destroy()));
  await testDatabase.drop();
});

const add = (id: string, shelf: string): SqlStatement => ({
  sql: 'INSERT INTO books VALUES (?, ?)',
  parameters: [id, shelf],
});
const move = (id: string, shelf: string): SqlStatement => ({
  sql: 'UPDATE books SET shelf = ? WHERE id = ?',
  parameters: [shelf, id],
});

async function shelves(): Promise<Record<string, string>> {
  const rows = await dataSource.query<{ id: string; shelf: string }[]>('SELECT * FROM books');
  return Object.fromEntries(rows.map(({ id, shelf }) => [id, shelf]));
}

describe('changes by a compound statement', () => {
  it('are refused inside a transaction, from which they would escape', async () => {
    const work = new Transactions(dataSource).run(() => compound.apply([move('a', 'y')]));
    await expect(work).rejects.toThrow('outside the running transaction');
    expect(await shelves()).toEqual({ a: 'x', b: 'x' });
  });
});

// Without a server there is no such test; global-setup.ts says so.
if (process.env.TEST_DATABASE_URL) {
  describe('changes by a compound statement', () => {
    beforeEach(async () => {
      const [row] = await dataSource.query<{ version: string }[]>('SELECT VERSION() AS version');
      isMariaDb = /mariadb/i.test(row!.version);
    });
    describeServer();
  });
} else {
  describe('changes by a compound statement on SQLite', () => {
    it('are not made', async () => {
      expect(await compound.apply([move('a', 'y')])).toBe(false);
      expect(await shelves()).toEqual({ a: 'x', b: 'x' });
    });
  });
}

function describeServer(): void {
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

  /** Ends the connection that waits for book `a`. */
  async function killWaiter(): Promise<void> {
    const found = () =>
      dataSource.query<{ id: number }[]>(
        "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE 'UPDATE books SET shelf = %y%'",
      );
    let [waiter] = await found();
    while (!waiter) [waiter] = await found();
    await dataSource.query(`KILL ${waiter.id}`);
  }

  it('are one statement', async () => {
    await compound.apply([move('a', 'y')]);
    const send = jest.spyOn(dataSource.pool!, 'send');
    const others = jest.spyOn(dataSource.logger, 'logQuery');
    expect(await compound.apply([move('a', 'z'), add('c', 'z')])).toBe(isMariaDb);
    expect([send.mock.calls.length, others.mock.calls.length]).toEqual([isMariaDb ? 1 : 0, 0]);
    others.mockRestore();
  });

  it('are not made on MySQL, which does not know such statements', async () => {
    jest.spyOn(dataSource.pool!, 'send').mockResolvedValueOnce([{ version: '8.4.3' }]);
    expect(await compound.apply([move('a', 'y'), add('c', 'y')])).toBe(false);
    expect(await shelves()).toEqual({ a: 'x', b: 'x' });
  });

  it('are made, whatever is in their values', async () => {
    const odd = `?'"\\; COMMIT; END -- $1`;
    expect(await compound.apply([move('a', odd), add('c', odd)])).toBe(isMariaDb);
    expect(await shelves()).toEqual(isMariaDb ? { a: odd, b: 'x', c: odd } : { a: 'x', b: 'x' });
  });

  it('are all undone when one of them finds no row', async () => {
    expect(await compound.apply([move('a', 'y'), move('z', 'y'), add('c', 'y')])).toBe(false);
    expect(await compound.apply([add('c', 'y'), move('a', 'y'), move('z', 'y')])).toBe(false);
    expect(await shelves()).toEqual({ a: 'x', b: 'x' });
  });

  it('are all undone when one of them finds two', async () => {
    const moveAll = { sql: 'UPDATE books SET shelf = ?', parameters: ['y'] };
    expect(await compound.apply([add('c', 'y'), moveAll])).toBe(false);
    expect(await shelves()).toEqual({ a: 'x', b: 'x' });
  });

  it('are made when a matching row already has the new value', async () => {
    expect(await compound.apply([move('a', 'x'), move('b', 'y')])).toBe(isMariaDb);
    expect(await shelves()).toEqual({ a: 'x', b: isMariaDb ? 'y' : 'x' });
  });

  it('are all undone when one of them violates a key', async () => {
    const broken = compound.apply([move('a', 'y'), add('b', 'y')]);
    expect(await broken.catch(isUniqueViolation)).toBe(isMariaDb);
    expect(await shelves()).toEqual({ a: 'x', b: 'x' });
  });

  it('are made for only one of many concurrent conditional changes', async () => {
    const take = { sql: "UPDATE books SET shelf = 'mine' WHERE id = 'a' AND shelf = 'x'", parameters: [] };
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, index) => compound.apply([take, add(`t${index}`, 'y')])),
    );
    expect(made.filter((isMade) => isMade)).toHaveLength(isMariaDb ? 1 : 0);
    expect(Object.keys(await shelves())).toHaveLength(isMariaDb ? 3 : 2);
  });

  it('are made although the database was unreachable when its version was asked', async () => {
    jest.spyOn(dataSource.pool!, 'send').mockRejectedValueOnce(new Error('unreachable'));
    await expect(compound.apply([move('a', 'y')])).rejects.toThrow('unreachable');
    expect(await compound.apply([move('a', 'y')])).toBe(isMariaDb);
  });

  it('are not made after a conflict with another transaction', async () => {
    const unlock = await lock();
    expect(await compound.apply([add('c', 'y'), move('a', 'y')])).toBe(false);
    await unlock();
    expect(await shelves()).toEqual({ a: 'x', b: 'x' });
  });

  it('are not made when the connection is lost early', async () => {
    if (!isMariaDb) return expect(await compound.apply([add('c', 'y')])).toBe(false);
    const unlock = await lock();
    const work = compound.apply([add('c', 'y'), move('a', 'y')]);
    await killWaiter();
    expect(await work).toBe(false);
    await unlock();
    expect(await shelves()).toEqual({ a: 'x', b: 'x' });
  });

  it('have an unknown outcome when it is lost later', async () => {
    if (!isMariaDb) return expect(await compound.apply([add('c', 'y')])).toBe(false);
    await compound.apply([move('a', 'x')]);
    const wait = { sql: "UPDATE books SET shelf = CONCAT('y', SLEEP(3)) WHERE id = 'a'", parameters: [] };
    const work = compound.apply([wait]);
    const lost = expect(work).rejects.toBeInstanceOf(CommitOutcomeUnknown);
    await sleep(1200);
    await killWaiter();
    await lost;
  });
}
