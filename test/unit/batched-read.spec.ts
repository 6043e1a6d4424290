import { BatchedRead } from '../../src/database/batched-read.js';
import { dataSourceOptions } from '../../src/database/data-source-options.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { Transactions } from '../../src/database/transactions.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

interface Book {
  shelf: string;
  title: string;
}

const booksOn = (shelves: string) =>
  `SELECT shelf, title FROM books WHERE shelf IN (${shelves}) ORDER BY title`;

let testDatabase: TestDatabase;
let dataSource: PlutoDataSource;
let books: BatchedRead<string, Book>;
let statements: jest.SpyInstance;

beforeEach(async () => {
  testDatabase = await createTestDatabase();
  dataSource = new PlutoDataSource(dataSourceOptions(testDatabase.database, [], []));
  await dataSource.initialize();
  await dataSource.query('CREATE TABLE books (shelf VARCHAR(9) NOT NULL, title VARCHAR(9) NOT NULL)');
  for (const book of [
    ['a', '2'],
    ['b', '3'],
    ['a', '1'],
  ])
    await dataSource.query('INSERT INTO books VALUES (?, ?)', book);
  books = new BatchedRead(dataSource, { sql: booksOn, keyOf: ({ shelf }) => shelf });
  statements = jest.spyOn(dataSource, 'read');
});
afterEach(async () => {
  if (dataSource.isInitialized) await dataSource.destroy();
  await testDatabase.drop();
});

const titlesOn = async (shelf: string) => (await books.find(shelf)).map(({ title }) => title);

describe('reads of one turn', () => {
  it('are one statement, and each gets its own rows', async () => {
    const found = await Promise.all(['a', 'none', 'b', 'a'].map(titlesOn));
    expect(found).toEqual([['1', '2'], [], ['3'], ['1', '2']]);
    expect(statements).toHaveBeenCalledTimes(1);
  });

  it('use few SQL texts for many numbers of keys', async () => {
    for (let count = 1; count <= 70; count++) {
      const keys = Array.from({ length: count }, (_, index) => `k${index}`);
      expect(await Promise.all([...keys, 'b'].map(titlesOn))).toEqual([...keys.map(() => []), ['3']]);
    }
    const texts = new Set(statements.mock.calls.map(([sql]: [string]) => sql));
    expect(texts.size).toBe(7);
  });

  it('see what was committed before they were asked for', async () => {
    const early = titlesOn('c');
    await new Promise((resolve) => setImmediate(resolve));
    await dataSource.query("INSERT INTO books VALUES ('c', '9')");
    await early;
    expect(await titlesOn('c')).toEqual(['9']);
    await dataSource.query("DELETE FROM books WHERE shelf = 'c'");
    expect(await titlesOn('c')).toEqual([]);
  });

  it('all fail when the statement does, and not the ones after them', async () => {
    statements.mockRejectedValueOnce(new Error('away'));
    const results = await Promise.allSettled(['a', 'b'].map(titlesOn));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await titlesOn('b')).toEqual(['3']);
  });

  it('are refused inside a transaction, and on a data source that is closed', async () => {
    const inside = new Transactions(dataSource).run(() => titlesOn('a'));
    await expect(inside).rejects.toThrow('outside the running transaction');
    await dataSource.destroy();
    await expect(titlesOn('a')).rejects.toThrow('closed');
  });
});
