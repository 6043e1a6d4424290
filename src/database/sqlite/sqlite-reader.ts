import { SqliteConnection, type SqliteStatement } from './sqlite-connection.js';

/** SQLite's own 2 MB hold too little of a million accounts: a sixth more of their user infos a second. */
const CACHE_KIB = 8000;

/**
 * Reads on a connection of its own, so that a read neither waits for the transaction which has the other connection
 * nor sees what that has not committed.
 */
export class SqliteReader {
  private connection: SqliteConnection | null = null;

  constructor(private readonly path: string) {}

  all<Row>(sql: string, parameters: unknown[]): Row[] {
    return this.prepare(sql).all(...parameters) as Row[];
  }

  /** The first row, in less time than `all` takes. libsql adds a `_metadata` to it. */
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
