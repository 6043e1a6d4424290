import { storageFault } from '../common/storage-fault.js';
import { describeDatabase } from '../config/database-url.js';
import type { Settings } from '../config/settings.js';
import { errorCode, isConnectionLost, isOutOfReach, mysqlErrorNumber } from '../database/database-error.js';
import { OtherSecretKey } from '../token/signing-keys.service.js';

/** Why the server could not start, with the setting and the remedy, in one line; null if it is not known. */
export function startFault(error: unknown, settings: Settings): string | null {
  // The innermost says most: of the connection, not of the pool that waited for it.
  const chain = causesOf(error).reverse();
  for (const find of [portFault, secretKeyFault, databaseFault]) {
    for (const cause of chain) {
      const fault = find(cause, settings);
      if (fault !== null) return fault;
    }
  }
  const fault = storageFault(error);
  return fault === null ? null : `DATA_DIR ${settings.dataDir} cannot be used: ${fault}`;
}

function causesOf(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let cause = error; cause instanceof Error && !chain.includes(cause); cause = cause.cause)
    chain.push(cause);
  return chain;
}

function portFault(error: unknown, { port, host, metricsPort, metricsHost }: Settings): string | null {
  const { syscall, port: at } = error as { syscall?: string; port?: number };
  if (syscall !== 'listen' && syscall !== 'getaddrinfo') return null;
  const isOfMetrics = metricsPort !== undefined && at === metricsPort && at !== port;
  const [portName, hostName] = isOfMetrics ? ['METRICS_PORT', 'METRICS_HOST'] : ['PORT', 'HOST'];
  const [number, address] = isOfMetrics ? [metricsPort, metricsHost] : [port, host];
  switch (errorCode(error)) {
    case 'EADDRINUSE':
      return `${portName} ${number} on ${address} is in use: stop the other program, or set another ${portName}`;
    case 'EACCES':
      return `${portName} ${number} requires privileges: set ${portName} to 1024 or more, behind a proxy`;
    case 'EADDRNOTAVAIL':
      return `${hostName} ${address} is no address of this machine: set one that is, or 0.0.0.0 for all`;
    default:
      return null;
  }
}

function secretKeyFault(error: unknown): string | null {
  if (!(error instanceof OtherSecretKey)) return null;
  return 'SECRET_KEY is not the one that the signing keys in the database were encrypted under: set the former one';
}

function databaseFault(error: unknown, { database }: Settings): string | null {
  const name = describeDatabase(database);
  const reason = database.kind === 'sqlite' ? sqliteReason(error) : mysqlReason(error);
  return reason === null ? null : `DATABASE_URL: the database ${name} ${reason}`;
}

function sqliteReason(error: unknown): string | null {
  const code = errorCode(error);
  if (code.startsWith('SQLITE_NOTADB') || code.startsWith('SQLITE_CORRUPT'))
    return `is damaged, or no SQLite database (${code}): restore it from a backup`;
  if (code === 'SQLITE_ERROR' && /\balready exists$/.test((error as Error).message)) return FOREIGN_TABLE;
  return null;
}

const FOREIGN_TABLE =
  'holds a table of another program under a name that Pluto uses: create a separate database for Pluto';

const MYSQL_REASONS: Record<number, string> = {
  1044: 'may not be used by this user: grant it all privileges on the database',
  1045: 'refuses the user or the password: correct them in DATABASE_URL',
  1049: 'does not exist: create it with CREATE DATABASE … CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
  1050: FOREIGN_TABLE,
  1142: 'may not be changed by this user: grant it all privileges on the database',
  1698: 'refuses the user or the password: correct them in DATABASE_URL',
};

function mysqlReason(error: unknown): string | null {
  const code = errorCode(error);
  const known = MYSQL_REASONS[mysqlErrorNumber(error)];
  if (known !== undefined) return known;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `is unreachable, since its host has no address (${code}): correct the host, or the name server`;
  if (code === 'HANDSHAKE_NO_SSL_SUPPORT') return 'offers no TLS: remove tls=true, or set TLS up there';
  if (code === 'HANDSHAKE_SSL_ERROR' || /CERT|SIGNATURE/.test(code))
    return `has a certificate that is not trusted (${code}): set tls_ca, or correct the host`;
  return isConnectionLost(error) || isOutOfReach(error)
    ? `is unreachable (${code || 'no answer'}): start it, or correct host and port`
    : null;
}
