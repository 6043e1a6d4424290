import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { type DatabaseSettings } from '../../src/database/data-source-options.js';

/** A machine that runs all tests concurrently may be slow; outages are tested in test/faults. */
const PATIENT = '?query_timeout=20000&acquire_timeout=20000';

export interface TestDatabase {
  database: DatabaseSettings;
  /** Deletes the database; close its data sources first. */
  drop(): Promise<void>;
}

/**
 * A fresh, empty database: a SQLite file, or with `TEST_DATABASE_URL`
 * (`mysql://root:password@127.0.0.1:3306/`, see mariadb.sh) a database of its own on that server, with the
 * timeouts of `query`.
 * @param folder where the file is made
 */
export function createTestDatabase(query = PATIENT, folder = tmpdir()): Promise<TestDatabase> {
  const server = process.env.TEST_DATABASE_URL;
  return server ? createMysqlDatabase(server, query) : createSqliteDatabase(folder);
}

/** A folder for tests that are about a disk; `tmpdir()` is in memory where it can be. */
export function onDisk(): string {
  return process.env.DISK_TMPDIR ?? tmpdir();
}

async function createSqliteDatabase(folder: string): Promise<TestDatabase> {
  const directory = await mkdtemp(join(folder, 'pluto-test-'));
  return {
    database: { kind: 'sqlite', path: join(directory, 'pluto.db') },
    drop: () => rm(directory, { recursive: true }),
  };
}

async function createMysqlDatabase(server: string, query: string): Promise<TestDatabase> {
  const name = `pluto_test_${randomBytes(6).toString('hex')}`;
  // The usual default of servers, which Pluto must detect and change.
  await execute(server, `CREATE DATABASE ${name} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci`);
  return {
    database: { kind: 'mysql', url: `${new URL(name, server).href}${query}` },
    drop: () => execute(server, `DROP DATABASE ${name}`),
  };
}

async function execute(server: string, sql: string): Promise<void> {
  const connection = await createConnection(server);
  try {
    await connection.query(sql);
  } finally {
    await connection.end();
  }
}
