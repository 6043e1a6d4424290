import 'reflect-metadata';
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
  type MigrationInterface,
  type QueryRunner,
  type Relation,
  Table,
  TableForeignKey,
} from 'typeorm';
import { nullableUnixTime, unixTime } from '../../src/database/columns.js';
import { dataSourceOptions } from '../../src/database/data-source-options.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { Transactions } from '../../src/database/transactions.js';
import { createTestDatabase, type TestDatabase } from './database.js';

const bytesTransformer = {
  to: (value: unknown) => value,
  // libsql hands blobs out as ArrayBuffers.
  from: (value: unknown) => (value instanceof ArrayBuffer ? Buffer.from(value) : value),
};

/** Up to 64 KiB of bytes, as `Buffer`. */
const bytes = { type: 'blob', transformer: bytesTransformer } as const;

export
@Entity('shelves')
class Shelf {
  @PrimaryGeneratedColumn()
  id: number;
}

export
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

export class CreateShelves1700000000001 implements MigrationInterface {
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

export class CreateBooks1700000000002 implements MigrationInterface {
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

export const isMysql = Boolean(process.env.TEST_DATABASE_URL);
// What only one dialect has is not a test on the other, rather than a skipped one.
export const never = (): void => undefined;
export const onMysql = isMysql ? it : never;
export const onSqlite = isMysql ? never : it;

export let testDatabase: TestDatabase;
let open: DataSource[];
export let dataSource: PlutoDataSource;
export let transactions: Transactions;

export async function connect(
  migrations = [CreateShelves1700000000001, CreateBooks1700000000002],
): Promise<PlutoDataSource> {
  const source = new PlutoDataSource(dataSourceOptions(testDatabase.database, [Shelf, Book], migrations));
  await source.initialize();
  open.push(source);
  return source;
}

export const books = (source = dataSource) => source.getRepository(Book);
export const titles = async () => (await books().find({ order: { id: 'ASC' } })).map(({ id }) => id);
export const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

export function signal(): { given: Promise<void>; give: () => void } {
  let give = () => {};
  const given = new Promise<void>((resolve) => (give = resolve));
  return { given, give: () => give() };
}

/** Opens a database with books, anew for each test. */
export function useBooks(): void {
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
}
