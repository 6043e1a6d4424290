import { type DataSourceOptions, type MigrationInterface } from 'typeorm';
import { parseMysqlUrl, SYSTEM_AUTHORITIES, type DatabaseSettings } from '../config/database-url.js';
import { mysqlDriver } from './mysql/mysql-driver.js';
import { SqliteConnection } from './sqlite/sqlite-connection.js';

export type { DatabaseSettings };

type EntityClass = new (...parameters: never[]) => object;
type MigrationClass = new () => MigrationInterface;

/**
 * Options for a PlutoDataSource. Only `runMigrations` changes the schema.
 * @param database where the data is; the URL in the form of `DATABASE_URL`
 * @throws UnfitValue for a URL that `DATABASE_URL` would refuse
 */
export function dataSourceOptions(
  database: DatabaseSettings,
  entities: readonly EntityClass[],
  migrations: readonly MigrationClass[],
): DataSourceOptions {
  const common = {
    entities: [...entities],
    migrations: [...migrations],
    // One transaction per migration: MySQL cannot roll back schema changes, so one for all would only look
    // safe.
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
      // Short, because this wait blocks the event loop; the query runner then waits without blocking it.
      connection.pragma('busy_timeout = 50');
    },
  } as const;
}

function mysqlOptions(text: string) {
  const url = parseMysqlUrl(text);
  return {
    // TypeORM reads MariaDB's schema correctly only under that name; everything else is the same.
    type: url.dialect,
    driver: mysqlDriver(url),
    host: url.host,
    port: url.port,
    username: url.username,
    password: url.password,
    database: url.database,
    charset: 'utf8mb4_bin',
    timezone: 'Z',
    poolSize: url.pool,
    connectTimeout: url.connectTimeoutMs,
    supportBigNumbers: true,
    // Numbers as on SQLite; strings only beyond 2^53.
    bigNumberStrings: false,
    extra: { enableKeepAlive: true, keepAliveInitialDelay: 10_000 },
    // Capturing a stack for each statement is slow; TypeORM's errors name the statement.
    trace: false,
    ...(url.trust !== null && { ssl: tlsOptions(url.trust) }),
  } as const;
}

function tlsOptions(trust: string) {
  return {
    ...(trust !== SYSTEM_AUTHORITIES && { ca: trust }),
    rejectUnauthorized: true,
    // Otherwise mysql2 accepts a certificate for any host.
    verifyIdentity: true,
    minVersion: 'TLSv1.2',
  } as const;
}
