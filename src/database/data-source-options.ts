import { type DataSourceOptions, type MigrationInterface } from 'typeorm';
import type { DatabaseSettings } from '../config/settings.js';
import { mysqlDriver } from './mysql-driver.js';
import { SqliteConnection } from './sqlite-connection.js';

export type { DatabaseSettings };

type EntityClass = new (...parameters: never[]) => object;
type MigrationClass = new () => MigrationInterface;

/**
 * Options for a PlutoDataSource. The schema is only ever changed by `runMigrations`.
 * @param database where the data is; the url is `mysql://user:password@host:port/database` (or `mariadb://…`)
 * @throws Error on a url without a database name, of another scheme or with a query
 */
export function dataSourceOptions(
  database: DatabaseSettings,
  entities: readonly EntityClass[],
  migrations: readonly MigrationClass[],
): DataSourceOptions {
  const common = {
    entities: [...entities],
    migrations: [...migrations],
    // Each alone: MySQL cannot roll back a change of the schema, so one big transaction would only look safe.
    migrationsTransactionMode: 'each' as const,
    migrationsRun: false,
    synchronize: false,
    logging: false,
  };
  return database.kind === 'sqlite'
    ? { ...common, ...sqliteOptions(database.path) }
    : { ...common, ...mysqlOptions(database.url) };
}

function sqliteOptions(path: string) {
  return {
    type: 'better-sqlite3',
    driver: SqliteConnection,
    database: path,
    timeout: 10_000,
    enableWAL: true,
    prepareDatabase: (connection: SqliteConnection) => {
      connection.pragma('journal_mode = WAL');
      connection.pragma('synchronous = FULL');
      connection.pragma('foreign_keys = ON');
      // Short, because this wait stops the event loop; the query runner goes on waiting without stopping it.
      connection.pragma('busy_timeout = 50');
    },
  } as const;
}

function mysqlOptions(url: string) {
  const { protocol, hostname, port, username, password, pathname } = parseMysqlUrl(url);
  return {
    // TypeORM reads MariaDB's schema right only under that name; all else is the same.
    type: protocol === 'mariadb:' ? 'mariadb' : 'mysql',
    driver: mysqlDriver,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || 3306),
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    charset: 'utf8mb4_bin',
    timezone: 'Z',
    poolSize: 10,
    connectTimeout: 10_000,
    supportBigNumbers: true,
    // Numbers as on SQLite, strings only beyond 2^53.
    bigNumberStrings: false,
    extra: { enableKeepAlive: true, keepAliveInitialDelay: 10_000 },
  } as const;
}

function parseMysqlUrl(text: string): URL {
  // The url holds a password, so no message repeats it.
  if (!URL.canParse(text)) throw new Error('The database url is not a url');
  const url = new URL(text);
  if (!['mysql:', 'mariadb:'].includes(url.protocol)) {
    throw new Error('The database url must begin with mysql:// or mariadb://');
  }
  if (!/^\/[^/]+$/.test(url.pathname)) throw new Error('The database url must end in /name-of-the-database');
  if (url.search || url.hash) throw new Error('The database url must not have a query or a fragment');
  return url;
}
