import type { DataSource } from 'typeorm';
import { PoolWithTimeouts } from './pool-with-timeouts.js';

/**
 * Runs work without query timeout: schema changes take minutes on large tables. Meanwhile no statement of the
 * data source has a timeout.
 */
export function withoutQueryTimeout<T>({ driver }: DataSource, work: () => Promise<T>): Promise<T> {
  const { pool } = driver as { pool?: unknown };
  return pool instanceof PoolWithTimeouts ? pool.withoutQueryTimeout(work) : work();
}
