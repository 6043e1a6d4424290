import type { DataSource } from 'typeorm';
import { PoolWithTimeouts } from './pool-with-timeouts.js';

/**
 * Does work whose statements may take as long as they like: changes of the schema take minutes on large tables. So may
 * all others of the data source meanwhile.
 */
export function withoutQueryTimeout<T>({ driver }: DataSource, work: () => Promise<T>): Promise<T> {
  const { pool } = driver as { pool?: unknown };
  return pool instanceof PoolWithTimeouts ? pool.withoutQueryTimeout(work) : work();
}
