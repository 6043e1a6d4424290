interface DriverError {
  code?: unknown;
  errno?: unknown;
  fatal?: unknown;
}

/** The driver's symbolic code, such as ER_DUP_ENTRY or SQLITE_BUSY; empty if there is none. */
export function errorCode(error: unknown): string {
  const { code } = asDriverError(error);
  return typeof code === 'string' ? code : '';
}

/** The MySQL server's error number; 0 for any other error. */
export function mysqlErrorNumber(error: unknown): number {
  const { errno } = asDriverError(error);
  return typeof errno === 'number' && errno > 0 ? errno : 0;
}

/** Is the connection gone (or never made), so that it is unknown what became of the statement? */
export function isConnectionLost(error: unknown): boolean {
  return asDriverError(error).fatal === true || lostConnectionCodes.has(errorCode(error));
}

/**
 * Did the database refuse the transaction as a whole because of another one, so that it may succeed if it is run again
 * from its start?
 */
export function isTransactionConflict(error: unknown): boolean {
  return conflictNumbers.has(mysqlErrorNumber(error)) || errorCode(error).startsWith('SQLITE_BUSY');
}

const lostConnectionCodes = new Set([
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

function asDriverError(error: unknown): DriverError {
  return typeof error === 'object' && error !== null ? error : {};
}
