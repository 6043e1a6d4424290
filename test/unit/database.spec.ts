import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import {
  Column,
  Entity,
  Index,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type DataSource,
  type EntityManager,
  type MigrationInterface,
  type QueryRunner,
  type Relation,
  Table,
  TableForeignKey,
} from 'typeorm';
import { nullableUnixTime, unixTime } from '../../src/database/columns.js';
import {
  isForeignKeyViolation,
  isUniqueViolation,
  violatedUniqueKey,
} from '../../src/database/constraints.js';
import { errorCode } from '../../src/database/database-error.js';
import { dataSourceOptions } from '../../src/database/data-source-options.js';
import { LeaseLost, LeaseUnavailable, withFreeLease, withLease } from '../../src/database/lease.js';
import { pendingMigrations, runMigrations } from '../../src/database/migrate.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { SecurityEvents, type SecurityEvent } from '../../src/database/security-events.js';
import { SqliteReader } from '../../src/database/sqlite-reader.js';
import {
  afterCommit,
  CommitOutcomeUnknown,
  originOf,
  RetryTransaction,
  Transactions,
} from '../../src/database/transactions.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { NOBODYS_REQUEST } from '../support/origin.js';

const bytesTransformer = {
  to: (value: unknown) => value,
  // libsql hands blobs out as ArrayBuffers.
  from: (value: unknown) => (value instanceof ArrayBuffer ? Buffer.from(value) : value),
};

/** Up to 64 KiB of bytes, as `Buffer`. */
const bytes = { type: 'blob', transformer: bytesTransformer } as const;

@Entity('shelves')
class Shelf {
  @PrimaryGeneratedColumn()
  id: number;
}

@Entity('books')
@Index('uq_books_title', ['shelfId', 'title'], { unique: true })
@Index('uq_books_isbn', ['isbn'], { unique: true })
class Book {
  @PrimaryColumn({ type: 'varchar', length: 40 })
  id: string;

  @Column({ name: 'title', type: 'varchar', length: 40, nullable: true })
  title: string | null;

  @Column({ name: 'isbn', type: 'varchar', length: 80, nullable: true })
  isbn: string | null;

  @Column({ name: 'shelf_id', type: 'int', nullable: true })
  shelfId: number | null;

  @ManyToOne(() => Shelf, { onDelete: 'RESTRICT', onUpdate: 'NO ACTION' })
  @JoinColumn({ name: 'shelf_id', foreignKeyConstraintName: 'fk_books_shelf' })
  shelf?: Relation<Shelf>;

  @Column({ ...unixTime, name: 'printed_at', default: 0 })
  printedAt: number;

  @Column({ ...nullableUnixTime, name: 'sold_at' })
  soldAt: number | null;

  @Column({ ...bytes, name: 'cover', nullable: true })
  cover: Buffer | null;
}

class CreateShelves1700000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'shelves',
        columns: [
          {
            name: 'id',
            type: 'integer',
            isPrimary: true,
            isGenerated: true,
            generationStrategy: 'increment',
          },
        ],
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('shelves');
  }
}

class CreateBooks1700000000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'books',
        columns: [
          { name: 'id', type: 'varchar', length: '40', isPrimary: true },
          { name: 'title', type: 'varchar', length: '40', isNullable: true },
          { name: 'isbn', type: 'varchar', length: '80', isNullable: true },
          { name: 'shelf_id', type: 'integer', isNullable: true },
          { name: 'printed_at', type: 'bigint', default: 0 },
          { name: 'sold_at', type: 'bigint', isNullable: true },
          { name: 'cover', type: 'blob', isNullable: true },
        ],
        indices: [
          { name: 'uq_books_title', columnNames: ['shelf_id', 'title'], isUnique: true },
          { name: 'uq_books_isbn', columnNames: ['isbn'], isUnique: true },
        ],
        foreignKeys: [
          new TableForeignKey({
            name: 'fk_books_shelf',
            columnNames: ['shelf_id'],
            referencedTableName: 'shelves',
            referencedColumnNames: ['id'],
            onDelete: 'RESTRICT',
            onUpdate: 'NO ACTION',
          }),
        ],
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('books');
  }
}

class FailingMigration1700000000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('INSERT INTO books (id) VALUES (?)', ['left-over']);
    throw new Error('out of ink');
  }

  down(): Promise<void> {
    return Promise.resolve();
  }
}

const isMysql = Boolean(process.env.TEST_DATABASE_URL);
// What only one dialect has is not a test on the other, rather than a skipped one.
const never = (): void => undefined;
const onMysql = isMysql ? it : never;
const onSqlite = isMysql ? never : it;
const describeOnSqlite = isMysql ? never : describe;

let testDatabase: TestDatabase;
let open: DataSource[];
let dataSource: PlutoDataSource;
let transactions: Transactions;

async function connect(
  migrations = [CreateShelves1700000000001, CreateBooks1700000000002],
): Promise<PlutoDataSource> {
  const source = new PlutoDataSource(dataSourceOptions(testDatabase.database, [Shelf, Book], migrations));
  await source.initialize();
  open.push(source);
  return source;
}

beforeAll(() => Logger.overrideLogger(false));

beforeEach(async () => {
  testDatabase = await createTestDatabase();
  open = [];
  dataSource = await connect();
  transactions = new Transactions(dataSource);
});

afterEach(async () => {
  for (const source of open) if (source.isInitialized) await source.destroy();
  await testDatabase.drop();
});

const books = (source = dataSource) => source.getRepository(Book);
const titles = async () => (await books().find({ order: { id: 'ASC' } })).map(({ id }) => id);
const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

function signal(): { given: Promise<void>; give: () => void } {
  let give = () => {};
  const given = new Promise<void>((resolve) => (give = resolve));
  return { given, give: () => give() };
}

describe('plain reads', () => {
  const ALL = 'SELECT id, printed_at AS printedAt FROM books ORDER BY id';
  const ONE = 'SELECT id FROM books WHERE id = ?';
  beforeEach(() => runMigrations(dataSource));

  it('give rows as the driver does', async () => {
    await books().insert([
      { id: 'a', printedAt: 5_000_000_000 },
      { id: 'b', printedAt: 1 },
    ]);
    const rows = await dataSource.read<{ id: string; printedAt: number | string }>(ALL, []);
    expect(rows.map(({ id, printedAt }) => [id, Number(printedAt)])).toEqual([
      ['a', 5_000_000_000],
      ['b', 1],
    ]);
    expect(await dataSource.readOne(ONE, ['b'])).toMatchObject({ id: 'b' });
    expect(await dataSource.readOne(ONE, ['c'])).toBeUndefined();
    expect(await dataSource.read(ONE, ['c'])).toEqual([]);
  });

  it('neither wait for a transaction nor see what it has not committed', async () => {
    const written = signal();
    const mayEnd = signal();
    const work = transactions.run(async (manager) => {
      await manager.insert(Book, { id: 'inside' });
      written.give();
      await mayEnd.given;
    });
    await written.given;
    expect(await dataSource.read(ALL, [])).toEqual([]);
    expect(await dataSource.readOne(ONE, ['inside'])).toBeUndefined();
    mayEnd.give();
    await work;
    expect(await dataSource.readOne(ONE, ['inside'])).toMatchObject({ id: 'inside' });
  });

  it('see what was committed since the last look, of which rows were left', async () => {
    await books().insert([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
    expect(await dataSource.readOne(ALL, [])).toMatchObject({ id: 'a' });
    const other = await connect();
    await books(other).delete({ id: 'a' });
    expect(await dataSource.readOne(ONE, ['a'])).toBeUndefined();
    expect(await dataSource.readOne(ALL, [])).toMatchObject({ id: 'b' });
  });

  it('are refused inside a transaction, where they would not see its own changes', async () => {
    for (const read of [() => dataSource.read(ALL, []), () => dataSource.readOne(ALL, [])])
      await expect(transactions.run(read)).rejects.toThrow('past the running transaction');
  });

  it('fail as other statements do', async () => {
    for (const read of [dataSource.read('SELECT nothing FROM books', []), dataSource.readOne('nonsense', [])])
      expect(await failure(read)).toBeInstanceOf(Error);
    expect(await dataSource.read(ALL, [])).toEqual([]);
  });

  onSqlite('write nothing', async () => {
    const error = await failure(dataSource.readOne("DELETE FROM books WHERE id = 'a' RETURNING id", []));
    expect(errorCode(error)).toBe('SQLITE_READONLY');
  });

  // It happens while another process recovers the file after a crash, which cannot be had here.
  onSqlite('take the other connection, which waits, while the file is busy', async () => {
    await books().insert({ id: 'a' });
    const busy = () => {
      throw Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY_RECOVERY' });
    };
    jest.spyOn(SqliteReader.prototype, 'first').mockImplementationOnce(busy);
    jest.spyOn(SqliteReader.prototype, 'all').mockImplementationOnce(busy);
    expect(await dataSource.readOne(ONE, ['a'])).toMatchObject({ id: 'a' });
    expect(await dataSource.read(ONE, ['a'])).toMatchObject([{ id: 'a' }]);
  });
});

describe('transactions', () => {
  beforeEach(() => runMigrations(dataSource));

  it('do not meet inside each other', async () => {
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

  it('all succeed when twenty run at once', async () => {
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
    await expect(work).rejects.toThrow('past the running transaction');
    expect(await titles()).toEqual([]);
  });

  it('do not nest', async () => {
    await expect(transactions.run(() => transactions.run(() => Promise.resolve()))).rejects.toThrow(
      'past the running transaction',
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

  it('are tried again from the start when the work asks for it', async () => {
    let attempts = 0;
    await transactions.run(async (manager) => {
      attempts += 1;
      await manager.insert(Book, { id: `attempt ${attempts}` });
      if (attempts < 3) throw new RetryTransaction('not yet');
    });
    expect(await titles()).toEqual(['attempt 3']);
  });

  it('are given up after twenty attempts', async () => {
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

  it('are not tried again when the commit was sent and its answer lost', async () => {
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

  onMysql('are tried again after a deadlock', async () => {
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

  onMysql('are tried again when the connection is lost before the commit', async () => {
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

describe('the origin of a transaction', () => {
  const UNSAID = 'Nobody has said on whose behalf';

  it.each([
    ['a request', NOBODYS_REQUEST],
    ['no request', null],
  ])('is %s where that was said, in every attempt', async (_what, origin) => {
    const seen: unknown[] = [];
    await transactions.runFor(origin, (manager) => {
      seen.push(originOf(manager));
      return seen.length === 1 ? Promise.reject(new RetryTransaction()) : Promise.resolve();
    });
    expect(seen).toEqual([origin, origin]);
  });

  it('is that of each of two at once', async () => {
    const ids = ['first', 'second'];
    const seen = await Promise.all(
      ids.map((requestId) =>
        transactions.runFor({ ...NOBODYS_REQUEST, requestId }, async (manager) => {
          await sleep(5);
          return originOf(manager)?.requestId;
        }),
      ),
    );
    expect(seen).toEqual(ids);
  });

  it('is not guessed where nobody has said it, nor outside and after a transaction', async () => {
    const withoutOrigin = transactions.run((manager) => Promise.resolve(originOf(manager)));
    await expect(withoutOrigin).rejects.toThrow(UNSAID);
    expect(() => originOf(dataSource.manager)).toThrow(UNSAID);
    const over = await transactions.runFor(null, (manager) => Promise.resolve(manager));
    expect(() => originOf(over)).toThrow(UNSAID);
  });

  it('is told to who listens to security events, which are refused without', async () => {
    const event: SecurityEvent = {
      type: 'key.rotated',
      applicationId: null,
      userId: null,
      detail: { kid: 'k' },
    };
    const events = new SecurityEvents();
    const listener = jest.fn();
    events.subscribe(listener);
    await expect(transactions.run((manager) => events.publish(manager, event))).rejects.toThrow(UNSAID);
    await expect(events.publish(dataSource.manager, event)).rejects.toThrow(UNSAID);
    expect(listener).not.toHaveBeenCalled();
    await transactions.runFor(NOBODYS_REQUEST, (manager) => events.publish(manager, event));
    expect(listener.mock.calls).toEqual([[expect.anything(), event, NOBODYS_REQUEST]]);
  });
});

describeOnSqlite('query runners', () => {
  beforeEach(() => runMigrations(dataSource));

  it('roll back what they leave open, and may be released twice', async () => {
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.manager.insert(Book, { id: 'a' });
    await runner.release();
    await runner.release();
    expect(await titles()).toEqual([]);
    await expect(runner.query('SELECT 1')).rejects.toThrow();
  });

  it('that give up waiting do not jam the queue', async () => {
    const holder = dataSource.createQueryRunner();
    await holder.query('SELECT 1');
    const waiter = dataSource.createQueryRunner();
    const waiting = failure(waiter.query("INSERT INTO books (id) VALUES ('waiter')"));
    await waiter.release();
    const next = titles();
    await holder.release();
    expect(await waiting).toBeInstanceOf(Error);
    expect(await next).toEqual([]);
  });

  it('survive a data source being opened again', async () => {
    await books().insert({ id: 'a' });
    await dataSource.destroy();
    await dataSource.initialize();
    await books().insert({ id: 'b' });
    expect(await titles()).toEqual(['a', 'b']);
  });

  it('wait for another process without stopping this one', async () => {
    const other = await connect();
    const holder = other.createQueryRunner();
    await holder.startTransaction();
    await holder.manager.insert(Book, { id: 'theirs' });
    const ours = books().insert({ id: 'ours' });
    await sleep(300);
    await holder.commitTransaction();
    await holder.release();
    await ours;
    expect(await titles()).toEqual(['ours', 'theirs']);
  });
});

describe('constraints', () => {
  beforeEach(() => runMigrations(dataSource));

  it('name the broken unique key', async () => {
    const shelf = await dataSource.getRepository(Shelf).save({});
    await books().insert({ id: 'a', title: 'Emma', isbn: '1', shelfId: shelf.id });
    const insert = (values: Partial<Book>) => failure(books().insert({ id: 'b', ...values }));

    const titleError = await insert({ title: 'Emma', shelfId: shelf.id });
    expect(violatedUniqueKey(titleError)).toBe('uq_books_title');
    expect(isUniqueViolation(titleError)).toBe(true);
    expect(isUniqueViolation(titleError, 'uq_books_title')).toBe(true);
    expect(isUniqueViolation(titleError, 'uq_books_isbn')).toBe(false);
    expect(violatedUniqueKey(await insert({ isbn: '1' }))).toBe('uq_books_isbn');
    expect(violatedUniqueKey(await insert({ id: 'a' }))).toBe('PRIMARY');
    expect(violatedUniqueKey(await failure(books().update({ id: 'c' }, { isbn: '1' })))).toBeNull();
  });

  it('are not fooled by the value', async () => {
    const isbn = "x' for key 'uq_books_title'";
    await books().insert({ id: 'a', isbn });
    expect(violatedUniqueKey(await failure(books().insert({ id: 'b', isbn })))).toBe('uq_books_isbn');
  });

  it('tell a broken foreign key', async () => {
    const missing = await failure(books().insert({ id: 'a', shelfId: 99 }));
    expect(isForeignKeyViolation(missing)).toBe(true);
    expect(isUniqueViolation(missing)).toBe(false);
    const shelf = await dataSource.getRepository(Shelf).save({});
    await books().insert({ id: 'a', shelfId: shelf.id });
    expect(isForeignKeyViolation(await failure(dataSource.getRepository(Shelf).delete(shelf.id)))).toBe(true);
  });

  it('are not seen in other errors', async () => {
    const syntax = await failure(dataSource.query('SELEC 1'));
    for (const error of [syntax, new Error('Duplicate'), null, 'text']) {
      expect([isUniqueViolation(error), isForeignKeyViolation(error), violatedUniqueKey(error)]).toEqual([
        false,
        false,
        null,
      ]);
    }
  });
});

describe('connections', () => {
  onSqlite('have the pragmas in effect', async () => {
    const pragma = async (name: string) =>
      Object.values((await dataSource.query<Record<string, unknown>[]>(`PRAGMA ${name}`))[0] ?? {})[0];
    expect(await pragma('journal_mode')).toBe('wal');
    expect(await pragma('synchronous')).toBe(2);
    expect(await pragma('foreign_keys')).toBe(1);
    expect(await pragma('busy_timeout')).toBe(50);
  });

  onMysql('have the session settings from the first one on', async () => {
    const runners = Array.from({ length: 10 }, () => dataSource.createQueryRunner());
    const rows = await Promise.all(
      runners.map(async (runner) => {
        const [row] = (await runner.query(
          'SELECT @@sql_mode AS mode, @@tx_isolation AS level, @@collation_connection AS collation, ' +
            "@@innodb_lock_wait_timeout AS wait, 'a' = 'A' AS same",
        )) as Record<string, unknown>[];
        return row;
      }),
    );
    await Promise.all(runners.map((runner) => runner.release()));
    for (const row of rows) {
      expect(row).toMatchObject({ level: 'READ-COMMITTED', collation: 'utf8mb4_bin', wait: 1, same: 0 });
      expect(row?.mode).toContain('STRICT_TRANS_TABLES');
    }
  });

  it('bind and give back every kind of value alike', async () => {
    await runMigrations(dataSource);
    const printedAt = 4_102_444_800_123;
    const cover = Buffer.from([0, 1, 255]);
    await books().insert({ id: 'a', title: '😀 é', printedAt, soldAt: null, cover });
    expect(await books().findOneByOrFail({ id: 'a' })).toMatchObject({
      title: '😀 é',
      printedAt,
      soldAt: null,
      cover,
    });
    const select = async (sql: string, value: unknown) =>
      dataSource.query(`SELECT id FROM books WHERE ${sql}`, [value]);
    expect(await select('cover = ?', cover)).toEqual([{ id: 'a' }]);
    expect(await select('printed_at = ?', printedAt)).toEqual([{ id: 'a' }]);
    expect(await select('title = ?', null)).toEqual([]);
    expect(await select("id = 'a' AND 1 = ?", true)).toEqual([{ id: 'a' }]);
    await dataSource.query('UPDATE books SET title = ?', [5]);
    expect(await dataSource.query('SELECT title, printed_at FROM books')).toEqual([
      { title: '5', printed_at: printedAt },
    ]);
  });

  onSqlite('refuse what SQLite would garble', async () => {
    await expect(dataSource.query('SELECT ?', ['a\0b'])).rejects.toThrow('NUL');
    await expect(dataSource.query('SELECT ?', [{}])).rejects.toThrow('SQLite cannot store');
  });

  it('refuse a url that does not name one database', () => {
    const options = (url: string) => () => dataSourceOptions({ kind: 'mysql', url }, [], []);
    expect(options('mysql://u:p@h:3306/pluto')()).toMatchObject({ host: 'h', port: 3306, database: 'pluto' });
    expect(options('mysql://u:p%40s@[::1]/pluto')()).toMatchObject({
      host: '::1',
      port: 3306,
      password: 'p@s',
    });
    for (const url of [
      'secret',
      'postgres://u:secret@h/d',
      'mysql://u:secret@h',
      'mysql://u:secret@h/d?ssl=1',
    ]) {
      expect(options(url)).toThrow(/^(?!.*secret)/);
    }
  });
});

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

  it('tells the work that it was lost', async () => {
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
    await expect(runMigrations(other)).rejects.toThrow('out of ink');
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
    await expect(runMigrations(dataSource)).rejects.toThrow(/needs utf8mb4_bin.*wordpress/);
    expect(await pendingMigrations(dataSource)).toBe(true);
  });
});

describe('withFreeLease', () => {
  it('leaves the work to whoever has the lease', async () => {
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
