import {
  Table,
  type QueryRunner,
  type TableColumnOptions,
  type TableForeignKeyOptions,
  type TableIndexOptions,
} from 'typeorm';

/** Words to describe tables with, for both dialects. A change of meaning here would change history: only add. */

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

/** A foreign key whose rows go with the row referred to. */
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

/** A foreign key that becomes null when the row referred to goes. */
export function outlives(referencedTableName: string, column: string, name: string): TableForeignKeyOptions {
  return { ...belongsTo(referencedTableName, column, name), onDelete: 'SET NULL' };
}

export interface TableDescription {
  name: string;
  columns: TableColumnOptions[];
  indices?: TableIndexOptions[];
  foreignKeys?: TableForeignKeyOptions[];
}

/** Each table whole, or not at all; those that a run cut short has made are left alone when it is run again. */
export async function createTables(runner: QueryRunner, tables: readonly TableDescription[]): Promise<void> {
  for (const table of tables) await runner.createTable(new Table(table), true);
}

export async function dropTables(runner: QueryRunner, tables: readonly TableDescription[]): Promise<void> {
  for (const { name } of [...tables].reverse()) await runner.dropTable(name, true);
}
