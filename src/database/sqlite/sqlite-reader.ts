import { SqliteConnection, type SqliteStatement } from './sqlite-connection.js';

/** SQLite's default of 2 MB is too small for a million accounts. */
const CACHE_KIB = 8000;

/**
 * Reads on a separate connection, so that a read neither waits for a transaction on the main connection nor
 * sees its uncommitted changes.
 */
export class SqliteReader {
  private connection: SqliteConnection | null = null;

  constructor(private readonly path: string) {}

  all<Row>(sql: string, parameters: unknown[]): Row[] {
    return this.prepare(sql).all(...parameters) as Row[];
  }

  /** The first row; faster than `all`. libsql adds a `_metadata` property to it. */
  first<Row>(sql: string, parameters: unknown[]): Row | undefined {
    return (this.prepare(sql).get(...parameters) ?? undefined) as Row | undefined;
  }

  close(): void {
    this.connection?.close();
    this.connection = null;
  }

  private prepare(sql: string): SqliteStatement {
    return this.open().prepare(sql);
  }

  private open(): SqliteConnection {
    if (this.connection) return this.connection;
    this.connection = new SqliteConnection(this.path);
    this.connection.pragma('query_only = ON');
    this.connection.pragma(`cache_size = -${CACHE_KIB}`);
    return this.connection;
  }
}
