import type { DataSource } from 'typeorm';
import { sqliteUse } from '../database/serialized-sqlite.js';

export interface PoolUse {
  /** How many connections there may be. */
  limit: number;
  inUse: number;
  idle: number;
  /** Requests that wait for a connection. */
  waiting: number;
}

interface Queue {
  length: number;
}

/** How the database's connections are used in this process; null when the driver does not tell. */
export function poolUseOf({ driver }: DataSource): PoolUse | null {
  return sqliteUse(driver) ?? mysqlUse((driver as { pool?: unknown }).pool);
}

/** mysql2 has no way to ask but its own fields; another version may not have them. */
function mysqlUse(pool: unknown): PoolUse | null {
  if (typeof pool !== 'object' || pool === null) return null;
  const { _allConnections, _freeConnections, _connectionQueue, config } = pool as Record<string, unknown>;
  if (!isQueue(_allConnections) || !isQueue(_freeConnections) || !isQueue(_connectionQueue)) return null;
  const limit = (config as { connectionLimit?: unknown } | undefined)?.connectionLimit;
  return {
    limit: typeof limit === 'number' ? limit : NaN,
    inUse: _allConnections.length - _freeConnections.length,
    idle: _freeConnections.length,
    waiting: _connectionQueue.length,
  };
}

function isQueue(value: unknown): value is Queue {
  return typeof value === 'object' && value !== null && typeof (value as Queue).length === 'number';
}
