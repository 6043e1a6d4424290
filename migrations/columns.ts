import {
  Table,
  type QueryRunner,
  type TableColumnOptions,
  type TableForeignKeyOptions,
  type TableIndexOptions,
} from 'typeorm';

/** Building blocks of tables for both dialects. Only add: a change here would change past migrations. */

export const id: TableColumnOptions = {
  name: 'id',
  type: 'integer',
  isPrimary: true,
  isGenerated: true,
  generationStrategy: 'increment',
};

export function integer(name: string, options: Partial<TableColumnOptions> = {}): TableColumnOptions {
  return { name, type: 'integer', ...options };
}

export function time(name: string, options: Partial<TableColumnOptions> = {}): TableColumnOptions {
  return { name, type: 'bigint', ...options };
}

export function text(
  name: string,
  length: number,
  options: Partial<TableColumnOptions> = {},
): TableColumnOptions {
  return { name, type: 'varchar', length: String(length), ...options };
}

export function longText(name: string): TableColumnOptions {
  return { name, type: 'text' };
}

export function flag(name: string): TableColumnOptions {
  return { name, type: 'boolean', default: '0' };
}

export const nullable = { isNullable: true } as const;
export const primary = { isPrimary: true } as const;
export const emptyByDefault = { default: "''" } as const;
export const zeroByDefault = { default: '0' } as const;

export function unique(name: string, ...columnNames: string[]): TableIndexOptions {
  return { name, columnNames, isUnique: true };
}

export function index(name: string, ...columnNames: string[]): TableIndexOptions {
  return { name, columnNames };
}

/** A foreign key with ON DELETE CASCADE. */
export function belongsTo(referencedTableName: string, column: string, name: string): TableForeignKeyOptions {
  return {
    name,
    columnNames: [column],
    referencedTableName,
    referencedColumnNames: ['id'],
    onDelete: 'CASCADE',
    onUpdate: 'NO ACTION',
  };
}

/** A foreign key with ON DELETE SET NULL. */
export function outlives(referencedTableName: string, column: string, name: string): TableForeignKeyOptions {
  return { ...belongsTo(referencedTableName, column, name), onDelete: 'SET NULL' };
}

export interface TableDescription {
  name: string;
  columns: TableColumnOptions[];
  indices?: TableIndexOptions[];
  foreignKeys?: TableForeignKeyOptions[];
  /** On SQLite, stored in the order of the primary key, like every table of MySQL. */
  withoutRowid?: boolean;
}

/**
 * Creates each table completely or not at all; tables of an interrupted run are kept when it is run again.
 */
export async function createTables(runner: QueryRunner, tables: readonly TableDescription[]): Promise<void> {
  for (const table of tables) await runner.createTable(new Table(table), true);
}

export async function dropTables(runner: QueryRunner, tables: readonly TableDescription[]): Promise<void> {
  for (const { name } of [...tables].reverse()) await runner.dropTable(name, true);
}

/**
 * Adds the columns that are not there yet. By SQL, since TypeORM would copy the whole table on SQLite.
 * @param columns definitions by name, in words that all databases know: `{ replayed_at: 'bigint NULL' }`
 */
export async function addColumns(
  runner: QueryRunner,
  table: string,
  columns: Record<string, string>,
): Promise<void> {
  for (const [name, definition] of Object.entries(columns)) {
    if (await runner.hasColumn(table, name)) continue;
    await runner.query(`ALTER TABLE ${table} ADD COLUMN ${name} ${definition}`);
  }
}

/** Drops the columns that are there. */
export async function dropColumns(
  runner: QueryRunner,
  table: string,
  columns: Record<string, string>,
): Promise<void> {
  for (const name of Object.keys(columns)) {
    if (await runner.hasColumn(table, name)) await runner.query(`ALTER TABLE ${table} DROP COLUMN ${name}`);
  }
}
