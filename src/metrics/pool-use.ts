import type { DataSource } from 'typeorm';
import { PoolWithTimeouts } from '../database/mysql/pool-with-timeouts.js';
import { sqliteUse } from '../database/sqlite/serialized-sqlite.js';

export interface PoolUse {
  /** How many connections there may be. */
  limit: number;
  inUse: number;
  idle: number;
  /** Requests that wait for a connection. */
  waiting: number;
}

/** How the database's connections are used in this process; null when the driver does not tell. */
export function poolUseOf({ driver }: DataSource): PoolUse | null {
  const { pool } = driver as { pool?: unknown };
  return pool instanceof PoolWithTimeouts ? pool.use : sqliteUse(driver);
}
