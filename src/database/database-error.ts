import { storageFault } from '../common/storage-fault.js';

interface DriverError {
  code?: unknown;
  errno?: unknown;
  fatal?: unknown;
}

/** The driver's symbolic code, such as ER_DUP_ENTRY or SQLITE_BUSY; `''` for other errors. */
export function errorCode(error: unknown): string {
  const { code } = asDriverError(error);
  return typeof code === 'string' ? code : '';
}

/** The MySQL server's error number; 0 for any other error. */
export function mysqlErrorNumber(error: unknown): number {
  const { errno } = asDriverError(error);
  return typeof errno === 'number' && errno > 0 ? errno : 0;
}

/** Pluto has stopped waiting for the database. */
export class DatabaseUnavailable extends Error {
  override name = 'DatabaseUnavailable';

  constructor(
    readonly code: 'DATABASE_AWAY' | 'CONNECTION_FAILED' | 'QUERY_TIMEOUT' | 'POOL_EXHAUSTED',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Whether the connection was lost (or never opened), so that the outcome of the statement is unknown. */
export function isConnectionLost(error: unknown): boolean {
  return asDriverError(error).fatal === true || lostConnectionCodes.has(errorCode(error));
}

/** Whether no connection was available; an immediate retry would fail as well. */
export function isOutOfReach(error: unknown): boolean {
  return ['DATABASE_AWAY', 'CONNECTION_FAILED', 'POOL_EXHAUSTED'].includes(errorCode(error));
}

/** Whether the database is reachable and only has no connection left for this process. */
export function isPoolExhausted(error: unknown): boolean {
  return errorCode(error) === 'POOL_EXHAUSTED';
}

/** Whether the database is temporarily unable to run any statement. */
export function isDatabaseUnavailable(error: unknown): boolean {
  return (
    isConnectionLost(error) ||
    isOutOfReach(error) ||
    isTransactionConflict(error) ||
    isStorageFailure(error) ||
    errorCode(error) === COMMIT_OUTCOME_UNKNOWN ||
    unavailableNumbers.has(mysqlErrorNumber(error))
  );
}

/** Whether SQLite cannot read or write its file: the disk is full, broken or read-only. */
function isStorageFailure(error: unknown): boolean {
  return errorCode(error).startsWith('SQLITE_') && storageFault(error) !== null;
}

/**
 * Whether the database rolled the transaction back because of a concurrent one, so that a new attempt may
 * succeed.
 */
export function isTransactionConflict(error: unknown): boolean {
  return conflictNumbers.has(mysqlErrorNumber(error)) || errorCode(error).startsWith('SQLITE_BUSY');
}

export const COMMIT_OUTCOME_UNKNOWN = 'COMMIT_OUTCOME_UNKNOWN';

const lostConnectionCodes = new Set([
  'DATABASE_AWAY',
  'CONNECTION_FAILED',
  'QUERY_TIMEOUT',
  'PROTOCOL_CONNECTION_LOST',
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ER_SERVER_SHUTDOWN',
  'ER_CONNECTION_KILLED',
]);

const conflictNumbers = new Set([
  1020, // ER_CHECKREAD: snapshot conflict (MariaDB innodb_snapshot_isolation)
  1205, // ER_LOCK_WAIT_TIMEOUT
  1213, // ER_LOCK_DEADLOCK; also how Galera reports a failed certification
  3101, // ER_TRANSACTION_ROLLBACK_DURING_COMMIT: MySQL group replication
  8022, // TiDB: the commit failed and was rolled back
  9007, // TiDB: write conflict
]);

const unavailableNumbers = new Set([
  1021, // ER_DISK_FULL
  1026, // ER_ERROR_ON_WRITE
  1030, // ER_GET_ERRNO: of the storage engine, such as a full disk
  1037, // ER_OUTOFMEMORY
  1040, // ER_CON_COUNT_ERROR: too many connections
  1041, // ER_OUT_OF_RESOURCES
  1047, // ER_UNKNOWN_COM_ERROR: a Galera node that has left its cluster
  1114, // ER_RECORD_FILE_FULL
  1203, // ER_TOO_MANY_USER_CONNECTIONS
  1226, // ER_USER_LIMIT_REACHED
  1290, // ER_OPTION_PREVENTS_STATEMENT: read-only, in a failover
  1317, // ER_QUERY_INTERRUPTED
  1792, // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
  1836, // ER_READ_ONLY_MODE
  1969, // ER_STATEMENT_TIMEOUT (MariaDB)
  3024, // ER_QUERY_TIMEOUT (MySQL)
]);

function asDriverError(error: unknown): DriverError {
  return typeof error === 'object' && error !== null ? error : {};
}
