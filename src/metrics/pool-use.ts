import type { DataSource } from 'typeorm';
import { PoolWithTimeouts } from '../database/mysql/pool-with-timeouts.js';
import { sqliteUse } from '../database/sqlite/serialized-sqlite.js';

export interface PoolUse {
  /** Maximum number of connections. */
  limit: number;
  inUse: number;
  idle: number;
  /** Requests that wait for a connection. */
  waiting: number;
}

/** Use of the database connections in this process; null if the driver does not report it. */
export function poolUseOf({ driver }: DataSource): PoolUse | null {
  const { pool } = driver as { pool?: unknown };
  return pool instanceof PoolWithTimeouts ? pool.use : sqliteUse(driver);
}
