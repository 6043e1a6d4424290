import { type EntityMetadata } from 'typeorm';
import { errorCode, mysqlErrorNumber } from './database-error.js';

const duplicateEntryNumbers = [1062, 1586]; // ER_DUP_ENTRY, ER_DUP_ENTRY_WITH_KEY_NAME
const foreignKeyNumbers = [1216, 1217, 1451, 1452];
const sqliteUniqueCodes = ['SQLITE_CONSTRAINT_UNIQUE', 'SQLITE_CONSTRAINT_PRIMARYKEY'];

const sqliteKeyNames = new WeakMap<object, string>();

/**
 * Whether a statement failed because it violated a unique key.
 * @param key the name given to the unique index or constraint in its entity; without it, any unique key
 */
export function isUniqueViolation(error: unknown, key?: string): boolean {
  const isUnique =
    duplicateEntryNumbers.includes(mysqlErrorNumber(error)) || sqliteUniqueCodes.includes(errorCode(error));
  return isUnique && (key === undefined || violatedUniqueKey(error) === key);
}

/**
 * The name of the unique index or constraint that a failed statement violated, 'PRIMARY' for the primary key.
 */
export function violatedUniqueKey(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if (!duplicateEntryNumbers.includes(mysqlErrorNumber(error))) return sqliteKeyNames.get(error) ?? null;
  // Anchored at the end, because the text before it quotes the value, which is user input.
  return /for key '(?:[^'.]+\.)?([^'.]+)'$/.exec(error.message)?.[1] ?? null;
}

/**
 * Whether a statement failed because a referenced row is missing, or the row to delete is still referenced.
 */
export function isForeignKeyViolation(error: unknown): boolean {
  if (foreignKeyNumbers.includes(mysqlErrorNumber(error))) return true;
  // ON DELETE RESTRICT fails with SQLITE_CONSTRAINT_TRIGGER and the same message.
  return (
    errorCode(error).startsWith('SQLITE_CONSTRAINT') &&
    error instanceof Error &&
    error.message.endsWith('FOREIGN KEY constraint failed')
  );
}

/** SQLite names the columns of a violated key, not the key. Records its name for `violatedUniqueKey`. */
export function nameSqliteKey(error: unknown, entities: readonly EntityMetadata[]): void {
  if (!(error instanceof Error) || !sqliteUniqueCodes.includes(errorCode(error))) return;
  const columns = /UNIQUE constraint failed: (.+)$/.exec(error.message)?.[1];
  if (columns === undefined) return;
  const name = /^index '(.+)'$/.exec(columns)?.[1] ?? keyName(columns.split(', '), entities);
  if (name !== undefined) sqliteKeyNames.set(error, name);
}

function keyName(qualifiedColumns: string[], entities: readonly EntityMetadata[]): string | undefined {
  const columns = qualifiedColumns.map((column) => column.slice(column.indexOf('.') + 1));
  const table = qualifiedColumns[0]?.split('.')[0];
  const entity = entities.find(({ tableName }) => tableName === table);
  if (!entity) return undefined;
  const keys = [...entity.indices.filter((index) => index.isUnique), ...entity.uniques];
  const isBroken = (key: { columns: { databaseName: string }[] }) =>
    key.columns.map((column) => column.databaseName).join() === columns.join();
  return isBroken({ columns: entity.primaryColumns }) ? 'PRIMARY' : keys.find(isBroken)?.name;
}
