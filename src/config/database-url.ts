import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { UnfitValue } from './unfit-value.js';

export type DatabaseSettings = { kind: 'sqlite'; path: string } | { kind: 'mysql'; url: string };

/** The parts of the URL of a MySQL or MariaDB server; see `docs/operations.md`. */
export interface MysqlUrl {
  dialect: 'mysql' | 'mariadb';
  host: string;
  port: number;
  username: string;
  password: string;
  database: string;
  /** Maximum connections of one process. */
  pool: number;
  connectTimeoutMs: number;
  /** How long a request waits for a connection, including the time to open it. */
  acquireTimeoutMs: number;
  queryTimeoutMs: number;
  /** Trusted authorities as PEM; `'system'` for those of Node; null without TLS. */
  trust: string | null;
}

export const SYSTEM_AUTHORITIES = 'system';

// With these, every request is answered within three seconds of the start of an outage.
const DEFAULTS = { pool: 10, connect_timeout: 1000, acquire_timeout: 2000, query_timeout: 2500 };
const LIMITS = {
  pool: [1, 1000],
  connect_timeout: [100, 60_000],
  acquire_timeout: [100, 60_000],
  // More than the lock wait timeout of one second.
  query_timeout: [2000, 600_000],
} as const;
// No message shows a part of the URL: it contains a password.
const PARAMETERS = [...Object.keys(DEFAULTS), 'tls', 'tls_ca'];

export const DATABASE_URL_FORM = 'sqlite:<path> or mysql://user:password@host:3306/name';
const MALFORMED = `must be ${DATABASE_URL_FORM}`;

/** @throws UnfitValue */
export function parseDatabaseUrl(text: string): DatabaseSettings {
  const path = /^sqlite:(?!\/\/)(.+)$/.exec(text)?.[1];
  if (path === undefined) {
    parseMysqlUrl(text);
    return { kind: 'mysql', url: text };
  }
  if (path.includes('?')) throw new UnfitValue('must not have parameters after sqlite:<path>');
  return { kind: 'sqlite', path: resolve(path) };
}

/** Names the database to operators, without credentials. */
export function describeDatabase(database: DatabaseSettings): string {
  if (database.kind === 'sqlite') return database.path;
  const { dialect, host, port, database: name } = parseMysqlUrl(database.url);
  return `${dialect}://${host.includes(':') ? `[${host}]` : host}:${port}/${name}`;
}

/** @throws UnfitValue */
export function parseMysqlUrl(text: string): MysqlUrl {
  const url = /\s|#/.test(text) || !URL.canParse(text) ? null : new URL(text);
  const dialect = url && /^(mysql|mariadb):$/.exec(url.protocol)?.[1];
  if (!dialect || !url.hostname || !/^\/[^/]+$/.test(url.pathname)) throw new UnfitValue(MALFORMED);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const parameters = parametersOf(url);
  return {
    dialect: dialect as MysqlUrl['dialect'],
    host,
    port: Number(url.port || 3306),
    username: decoded(url.username),
    password: decoded(url.password),
    database: decoded(url.pathname.slice(1)),
    pool: numberOf(parameters, 'pool'),
    connectTimeoutMs: numberOf(parameters, 'connect_timeout'),
    acquireTimeoutMs: numberOf(parameters, 'acquire_timeout'),
    queryTimeoutMs: numberOf(parameters, 'query_timeout'),
    trust: trustOf(parameters, host),
  };
}

function parametersOf({ searchParams }: URL): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of searchParams) {
    // A name with other characters may be part of a password with an unescaped question mark.
    const shown = /^[a-z_]{1,30}$/i.test(name) ? `: ${name}` : '';
    if (!PARAMETERS.includes(name))
      throw new UnfitValue(`has an unknown parameter${shown} (known are ${PARAMETERS.join(', ')})`);
    if (parameters.has(name)) throw new UnfitValue(`has the parameter ${name} twice`);
    parameters.set(name, value);
  }
  return parameters;
}

function numberOf(parameters: Map<string, string>, name: keyof typeof DEFAULTS): number {
  const text = parameters.get(name) ?? String(DEFAULTS[name]);
  const [least, most] = LIMITS[name];
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  if (number >= least && number <= most) return number;
  const unit = name === 'pool' ? '' : ' (milliseconds)';
  throw new UnfitValue(`has a parameter ${name} that is not a whole number from ${least} to ${most}${unit}`);
}

function trustOf(parameters: Map<string, string>, host: string): string | null {
  const tls = parameters.get('tls');
  const file = parameters.get('tls_ca');
  if (tls !== undefined && tls !== 'true' && tls !== 'false')
    throw new UnfitValue('has a parameter tls that is neither true nor false');
  if (tls === 'false' && file !== undefined)
    throw new UnfitValue('has the parameter tls_ca together with tls=false');
  if (tls !== 'true' && file === undefined) return null;
  // mysql2 compares the certificate only with host names.
  if (isIP(host) > 0)
    throw new UnfitValue(
      `has a parameter ${file === undefined ? 'tls' : 'tls_ca'}, which requires a host name, not an address`,
    );
  return file === undefined ? SYSTEM_AUTHORITIES : authoritiesIn(file);
}

function authoritiesIn(file: string): string {
  let pem: string;
  try {
    pem = readFileSync(file, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code;
    throw new UnfitValue(`has a parameter tls_ca that names a file that cannot be read (${reason})`);
  }
  if (!isCertificate(pem))
    throw new UnfitValue('has a parameter tls_ca that names a file without a PEM certificate');
  return pem;
}

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UnfitValue(MALFORMED);
  }
}
