import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  isForeignKeyViolation,
  isUniqueViolation,
  violatedUniqueKey,
} from '../../src/database/constraints.js';
import { errorCode } from '../../src/database/database-error.js';
import { dataSourceOptions } from '../../src/database/data-source-options.js';
import { runMigrations } from '../../src/database/jobs/migrate.js';
import { SqliteReader } from '../../src/database/sqlite/sqlite-reader.js';
import {
  Book,
  books,
  connect,
  dataSource,
  failure,
  isMysql,
  never,
  onMysql,
  onSqlite,
  Shelf,
  signal,
  titles,
  transactions,
  useBooks,
} from '../support/books.js';

useBooks();

const describeOnSqlite = isMysql ? never : describe;

describe('plain reads', () => {
  const ALL = 'SELECT id, printed_at AS printedAt FROM books ORDER BY id';
  const ONE = 'SELECT id FROM books WHERE id = ?';
  beforeEach(() => runMigrations(dataSource));

  it('return rows as the driver does', async () => {
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
      await expect(transactions.run(read)).rejects.toThrow('outside the running transaction');
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
  onSqlite('use the main connection, which waits, while the file is busy', async () => {
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

  it('released while waiting do not block the queue', async () => {
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

  it('name the violated unique key', async () => {
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

  it('report a violated foreign key', async () => {
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

  it('bind and return every kind of value alike', async () => {
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

  it('refuse a URL that does not name one database', () => {
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
