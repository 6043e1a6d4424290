import { type QueryRunner } from 'typeorm';
import { type BetterSqlite3Driver } from 'typeorm/driver/better-sqlite3/BetterSqlite3Driver.js';
import { SerializedQueryRunner } from './serialized-query-runner.js';
import { SqliteTurns } from './sqlite-turns.js';

const turnsOf = new WeakMap<object, SqliteTurns>();

/**
 * Makes TypeORM's SQLite driver safe to use from several requests concurrently. The driver has one connection
 * and returns the same query runner to every caller, so that statements join whatever transaction is open and
 * transactions nest by accident (typeorm issues 1884, 8668). Here every caller gets its own runner, which has
 * the connection to itself from its first statement to its release, like a pool of size one.
 */
export function serializeSqlite(driver: BetterSqlite3Driver): void {
  const turns = new SqliteTurns();
  turnsOf.set(driver, turns);
  driver.createQueryRunner = (): QueryRunner => new SerializedQueryRunner(driver, turns);
}

/** Use of the connection, as of a pool; null if the driver is not SQLite's. */
export function sqliteUse(driver: object): SqliteTurns['use'] | null {
  return turnsOf.get(driver)?.use ?? null;
}
