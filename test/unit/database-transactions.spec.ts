import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EntityManager } from 'typeorm';
import { isUniqueViolation } from '../../src/database/constraints.js';
import { runMigrations } from '../../src/database/jobs/migrate.js';
import { SecurityEvents, type SecurityEvent } from '../../src/events/security-events.js';
import {
  afterCommit,
  CommitOutcomeUnknown,
  requestContextOf,
  RetryTransaction,
  Transactions,
} from '../../src/database/transactions.js';
import { NOBODYS_REQUEST } from '../support/request-context.js';
import {
  Book,
  books,
  connect,
  dataSource,
  failure,
  onMysql,
  onSqlite,
  signal,
  titles,
  transactions,
  useBooks,
} from '../support/books.js';

useBooks();

describe('transactions', () => {
  beforeEach(() => runMigrations(dataSource));

  it('do not overlap on one connection', async () => {
    const failing = transactions.run(async (manager) => {
      await manager.insert(Book, { id: 'u1' });
      await sleep(30);
      throw new Error('changed my mind');
    });
    const succeeding = transactions.run(async (manager) => {
      await sleep(5);
      await manager.insert(Book, { id: 'u2' });
    });
    const plain = sleep(10).then(() => books().insert({ id: 'u3' }));
    await Promise.allSettled([failing, succeeding, plain]);
    await expect(failing).rejects.toThrow('changed my mind');
    expect(await titles()).toEqual(['u2', 'u3']);
  });

  it('all succeed when twenty run concurrently', async () => {
    const insert = (id: string) =>
      transactions.run(async (manager) => {
        await manager.insert(Book, { id });
        await sleep(1);
        await manager.update(Book, { id }, { title: id });
      });
    await Promise.all(Array.from({ length: 20 }, (_, index) => insert(`book ${index}`)));
    expect(await books().countBy({})).toBe(20);
  });

  it('are not joined by plain writes', async () => {
    const begun = signal();
    const written = signal();
    const failing = transactions.run(async (manager) => {
      await manager.insert(Book, { id: 'inside' });
      begun.give();
      await written.given;
      throw new Error('no');
    });
    await begun.given;
    const plain = books().insert({ id: 'outside' });
    await sleep(10);
    written.give();
    await expect(failing).rejects.toThrow('no');
    await plain;
    expect(await titles()).toEqual(['outside']);
  });

  it('refuse the use of a global repository', async () => {
    const work = transactions.run(async (manager) => {
      await manager.insert(Book, { id: 'inside' });
      await books().insert({ id: 'beside' });
    });
    await expect(work).rejects.toThrow('outside the running transaction');
    expect(await titles()).toEqual([]);
  });

  it('do not nest', async () => {
    await expect(transactions.run(() => transactions.run(() => Promise.resolve()))).rejects.toThrow(
      'outside the running transaction',
    );
  });

  it('return what the work returned', async () => {
    await expect(transactions.run(() => Promise.resolve(7))).resolves.toBe(7);
  });

  it('refuse the statements of a branch that outlives the work', async () => {
    let straggler: Promise<unknown> = Promise.resolve();
    const work = transactions.run(async (manager) => {
      straggler = failure(sleep(20).then(() => manager.insert(Book, { id: 'straggler' })));
      await manager.insert(Book, { id: 'first' });
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    expect(await straggler).toBeInstanceOf(Error);
    expect(await titles()).toEqual([]);
  });

  it('leave the connection usable after a failed statement', async () => {
    await books().insert({ id: 'a' });
    const work = transactions.run(async (manager) => {
      const error = await failure(manager.insert(Book, { id: 'a' }));
      expect(isUniqueViolation(error, 'PRIMARY')).toBe(true);
      await manager.insert(Book, { id: 'b' });
    });
    await work;
    expect(await titles()).toEqual(['a', 'b']);
  });

  onSqlite('end when SQLite ends them', async () => {
    const work = transactions.run(async (manager) => {
      await manager.insert(Book, { id: 'a' });
      await manager.query('ROLLBACK');
      await manager.insert(Book, { id: 'b' });
    });
    await expect(work).rejects.toThrow('by itself');
    expect(await titles()).toEqual([]);
  });

  it('are retried from the start after RetryTransaction', async () => {
    let attempts = 0;
    await transactions.run(async (manager) => {
      attempts += 1;
      await manager.insert(Book, { id: `attempt ${attempts}` });
      if (attempts < 3) throw new RetryTransaction('not yet');
    });
    expect(await titles()).toEqual(['attempt 3']);
  });

  it('fail after twenty attempts', async () => {
    let attempts = 0;
    const work = transactions.run(() => {
      attempts += 1;
      return Promise.reject(new RetryTransaction('never'));
    });
    await expect(work).rejects.toMatchObject({
      key: 'serviceUnavailable',
      cause: expect.any(RetryTransaction),
    });
    expect(attempts).toBe(20);
  });

  it('are not retried when the answer to the commit was lost', async () => {
    let attempts = 0;
    const work = transactions.run(async (manager) => {
      attempts += 1;
      await manager.insert(Book, { id: 'maybe' });
      const runner = manager.queryRunner!;
      const query = runner.query.bind(runner);
      Object.assign(runner, {
        query: async (sql: string, ...rest: []) => {
          const answer: unknown = await query(sql, ...rest);
          if (sql === 'COMMIT') throw Object.assign(new Error('gone'), { code: 'PROTOCOL_CONNECTION_LOST' });
          return answer;
        },
      });
    });
    await expect(work).rejects.toBeInstanceOf(CommitOutcomeUnknown);
    expect(attempts).toBe(1);
    expect(await titles()).toEqual(['maybe']);
  });

  onMysql('are retried after a deadlock', async () => {
    await books().insert([{ id: 'a' }, { id: 'b' }]);
    let attempts = 0;
    const lockBoth = (first: string, second: string) =>
      transactions.run(async (manager) => {
        attempts += 1;
        await manager.update(Book, { id: first }, { printedAt: () => 'printed_at + 1' });
        await sleep(50);
        await manager.update(Book, { id: second }, { printedAt: () => 'printed_at + 1' });
      });
    await Promise.all([lockBoth('a', 'b'), lockBoth('b', 'a')]);
    expect(attempts).toBeGreaterThan(2);
    expect((await books().find()).map(({ printedAt }) => printedAt)).toEqual([2, 2]);
  });

  onMysql('are retried when the connection is lost before the commit', async () => {
    let attempts = 0;
    await transactions.run(async (manager) => {
      attempts += 1;
      await manager.insert(Book, { id: `attempt ${attempts}` });
      const [connection] = await manager.query<{ id: number }[]>('SELECT CONNECTION_ID() AS id');
      if (attempts === 1) await failure(manager.query(`KILL ${connection?.id}`));
      await manager.update(Book, { id: `attempt ${attempts}` }, { title: 'saved' });
    });
    expect(await titles()).toEqual(['attempt 2']);
  });

  it('of two processes on one database all succeed', async () => {
    const other = await connect();
    const otherTransactions = new Transactions(other);
    await books().insert({ id: 'counter' });
    const increment = async (manager: EntityManager) => {
      await manager.increment(Book, { id: 'counter' }, 'printedAt', 1);
      await sleep(2);
      await manager.findOneByOrFail(Book, { id: 'counter' });
    };
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => (index % 2 ? transactions : otherTransactions).run(increment)),
    );
    expect((await books().findOneByOrFail({ id: 'counter' })).printedAt).toBe(20);
  });
});

describe('afterCommit', () => {
  beforeEach(() => runMigrations(dataSource));

  it('runs outside the transaction once it is committed', async () => {
    const seen: string[][] = [];
    await transactions.run(async (manager) => {
      await manager.insert(Book, { id: 'a' });
      afterCommit(manager, async () => void seen.push(await titles()));
      await sleep(5);
      expect(seen).toEqual([]);
    });
    expect(seen).toEqual([['a']]);
  });

  it('never runs after a rollback, and once after a retry', async () => {
    const callback = jest.fn();
    await failure(
      transactions.run((manager) => {
        afterCommit(manager, callback);
        return Promise.reject(new Error('no'));
      }),
    );
    expect(callback).not.toHaveBeenCalled();
    let attempts = 0;
    await transactions.run((manager) => {
      attempts += 1;
      afterCommit(manager, callback);
      return attempts === 1 ? Promise.reject(new RetryTransaction()) : Promise.resolve();
    });
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it('does not turn a commit into a failure', async () => {
    await transactions.run((manager) => {
      afterCommit(manager, () => Promise.reject(new Error('cache is down')));
      return Promise.resolve();
    });
  });

  it('refuses a manager without a transaction', () => {
    expect(() => afterCommit(dataSource.manager, () => {})).toThrow('running transaction');
  });
});

describe('the request context of a transaction', () => {
  const NO_CONTEXT = 'No request context';

  it.each([
    ['a request', NOBODYS_REQUEST],
    ['no request', null],
  ])('is %s where that was said, in every attempt', async (_what, context) => {
    const seen: unknown[] = [];
    await transactions.runFor(context, (manager) => {
      seen.push(requestContextOf(manager));
      return seen.length === 1 ? Promise.reject(new RetryTransaction()) : Promise.resolve();
    });
    expect(seen).toEqual([context, context]);
  });

  it('is separate for two concurrent transactions', async () => {
    const ids = ['first', 'second'];
    const seen = await Promise.all(
      ids.map((requestId) =>
        transactions.runFor({ ...NOBODYS_REQUEST, requestId }, async (manager) => {
          await sleep(5);
          return requestContextOf(manager)?.requestId;
        }),
      ),
    );
    expect(seen).toEqual(ids);
  });

  it('is refused if missing, and outside and after a transaction', async () => {
    const withoutContext = transactions.run((manager) => Promise.resolve(requestContextOf(manager)));
    await expect(withoutContext).rejects.toThrow(NO_CONTEXT);
    expect(() => requestContextOf(dataSource.manager)).toThrow(NO_CONTEXT);
    const over = await transactions.runFor(null, (manager) => Promise.resolve(manager));
    expect(() => requestContextOf(over)).toThrow(NO_CONTEXT);
  });

  it('is passed to listeners of security events, which are refused without it', async () => {
    const event: SecurityEvent = {
      type: 'key.rotated',
      applicationId: null,
      userId: null,
      detail: { kid: 'k' },
    };
    const events = new SecurityEvents();
    const listener = jest.fn();
    events.subscribe(listener);
    await expect(transactions.run((manager) => events.publish(manager, event))).rejects.toThrow(NO_CONTEXT);
    await expect(events.publish(dataSource.manager, event)).rejects.toThrow(NO_CONTEXT);
    expect(listener).not.toHaveBeenCalled();
    await transactions.runFor(NOBODYS_REQUEST, (manager) => events.publish(manager, event));
    expect(listener.mock.calls).toEqual([[expect.anything(), event, NOBODYS_REQUEST]]);
  });
});
