import Libsql from 'libsql';
import AsynchronousLibsql from 'libsql/promise';
import { LRUCache } from 'lru-cache';

const STATEMENTS_MAX = 200;

/**
 * libsql has asynchronous functions only in one of its two connection classes; the native object is the same.
 */
const { exec: executeAside } = AsynchronousLibsql.prototype as {
  exec: (this: object, sql: string) => Promise<void>;
};

/** The parts of a prepared statement used here and by TypeORM's better-sqlite3 driver. */
export interface SqliteStatement {
  readonly reader: boolean;
  all(...parameters: unknown[]): unknown[];
  get(...parameters: unknown[]): unknown;
  run(...parameters: unknown[]): { changes: number; lastInsertRowid: number | bigint };
}

/**
 * A libsql connection that binds parameters safely. libsql 0.5 mistakes a single null or Buffer for an
 * object of named parameters and aborts the process, as it does for booleans; it stores integers as REAL
 * ('5.0' in a text column); and it truncates a text at its first NUL when reading it.
 */
export class SqliteConnection extends Libsql {
  /** Prepared statements by SQL text, least recently used first out. */
  private readonly prepared = new LRUCache<string, SqliteStatement>({ max: STATEMENTS_MAX });

  /** Caches prepared statements, since each query runner prepares its statements again. */
  override prepare<Parameters extends NonNullable<unknown> = unknown[]>(sql: string) {
    type Prepared = ReturnType<typeof Libsql.prototype.prepare<Parameters>>;
    const known = this.prepared.get(sql);
    if (known) return known as unknown as Prepared;
    const statement = super.prepare<Parameters>(sql);
    bindSafely(statement);
    // libsql's own pragma() changes the result format of the cached statement.
    if (!sql.startsWith('PRAGMA')) this.prepared.set(sql, statement);
    return statement;
  }

  /**
   * Commits in a thread of libsql, since waiting for the disk would block the event loop. Until then nothing
   * else may use the connection.
   * @throws SqliteError, or TypeError when the connection is closed
   */
  commit(): Promise<void> {
    return executeAside.call(this, 'COMMIT');
  }
}

function bindSafely(statement: SqliteStatement): void {
  const all = statement.all.bind(statement);
  const get = statement.get.bind(statement);
  const run = statement.run.bind(statement);
  // libsql asks the native statement each time.
  Object.defineProperty(statement, 'reader', { value: statement.reader });
  statement.all = (...parameters) => all(parameters.map(bindable));
  statement.get = (...parameters) => get(parameters.map(bindable));
  statement.run = (...parameters) => run(parameters.map(bindable));
}

function bindable(value: unknown): unknown {
  if (value === null || value === undefined || typeof value === 'bigint' || value instanceof Uint8Array)
    return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value !== 'string') throw new TypeError(`SQLite cannot store a value of type ${typeof value}`);
  if (value.includes('\0')) throw new TypeError('libsql cannot read back a text that contains NUL');
  return value;
}
