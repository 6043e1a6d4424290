import { existsSync, readFileSync } from 'node:fs';
import { migrations } from '../../../migrations/index.js';
import { describeDatabase } from '../../config/database-url.js';
import { InvalidSettings } from '../../config/invalid-settings.js';
import { SecretKey, secretKeyFile } from '../../config/secret-key.js';
import type { Settings } from '../../config/settings.js';
import { dataSourceOptions } from '../../database/data-source-options.js';
import { isPlutoDatabase, pendingMigrations } from '../../database/jobs/migrate.js';
import { PlutoDataSource } from '../../database/pluto-data-source.js';
import { refuseMissingDatabase } from '../../database/sqlite/lost-database.js';
import { startFault } from '../../server/start-fault.js';
import {
  opensSigningKeys,
  SEALED_SIGNING_KEYS,
  type SealedSigningKey,
} from '../../token/sealed-signing-keys.js';
import { failed, failedLine, type Finding, ok, reasonOf } from './finding.js';

export interface DatabaseFindings {
  findings: Finding[];
  /** The ids of the signing keys; null if the database cannot be read. */
  keyIds: string[] | null;
}

/** Everything that only an open database can answer. Changes nothing. */
export async function checkDatabase(settings: Settings): Promise<DatabaseFindings> {
  const dataSource = new PlutoDataSource(dataSourceOptions(settings.database, [], migrations));
  try {
    refuseMissingDatabase(settings);
    await dataSource.initialize();
    return await look(dataSource, settings);
  } catch (error) {
    if (error instanceof InvalidSettings)
      return { findings: error.faults.map((fault) => failedLine('database', fault)), keyIds: null };
    const line =
      startFault(error, settings) ?? `DATABASE_URL cannot be used (${reasonOf(error)}): check the database`;
    return { findings: [failedLine('database', line)], keyIds: null };
  } finally {
    if (dataSource.isInitialized) await dataSource.destroy();
  }
}

async function look(dataSource: PlutoDataSource, settings: Settings): Promise<DatabaseFindings> {
  const findings = [await checkVersion(dataSource, settings)];
  if (!(await isPlutoDatabase(dataSource))) {
    const fault = `${describeDatabase(settings.database)} has no tables of Pluto`;
    findings.push(failed('migrations', fault, 'start the server, or correct DATABASE_URL'));
    return { findings, keyIds: null };
  }
  findings.push(
    (await pendingMigrations(dataSource))
      ? failed(
          'migrations',
          'some are pending',
          'start the server of this version, or run `npm run migration:run`',
        )
      : ok('migrations', 'all were run'),
    await checkClock(dataSource, settings),
  );
  const keys = await dataSource.query<SealedSigningKey[]>(SEALED_SIGNING_KEYS);
  findings.push(checkSecretKey(settings, keys));
  return { findings, keyIds: keys.map(({ kid }) => kid) };
}

async function checkVersion(dataSource: PlutoDataSource, { database }: Settings): Promise<Finding> {
  const isEmbedded = database.kind === 'sqlite';
  const [row] = await dataSource.query<{ version: string }[]>(
    isEmbedded ? 'SELECT sqlite_version() AS version' : 'SELECT VERSION() AS version',
  );
  const version = row?.version ?? '';
  const detail = `${describeDatabase(database)} answers, ${isEmbedded ? 'SQLite ' : ''}${version}`;
  if (isEmbedded || isSupported(version)) return ok('database', detail);
  return failed('database', detail, 'use MariaDB 10.6, MySQL 8, or later');
}

/** @param version as `SELECT VERSION()` returns it, such as 10.11.6-MariaDB or 8.4.3 */
export function isSupported(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map((part) => parseInt(part, 10));
  return /mariadb/i.test(version) ? major > 10 || (major === 10 && minor >= 6) : major >= 8;
}

const CLOCK_TOLERANCE_MS = 2000;

async function checkClock(dataSource: PlutoDataSource, { database }: Settings): Promise<Finding> {
  if (database.kind === 'sqlite') return ok('clock', 'the database is on this machine');
  const asked = Date.now();
  const [row] = await dataSource.query<{ now: string }[]>('SELECT UNIX_TIMESTAMP(NOW(3)) AS now');
  const answered = Date.now();
  return judgeClock(Number(row?.now) * 1000 - (asked + answered) / 2);
}

/** @param aheadMs how far the database's clock is ahead of this machine's */
export function judgeClock(aheadMs: number): Finding {
  const seconds = (Math.abs(aheadMs) / 1000).toFixed(1);
  const detail = `the database's clock is ${seconds} s ${aheadMs < 0 ? 'behind' : 'ahead'}`;
  return Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS
    ? ok('clock', detail)
    : failed('clock', detail, 'synchronise the clocks of both machines (NTP)');
}

function checkSecretKey({ secretKey, dataDir }: Settings, keys: SealedSigningKey[]): Finding {
  const file = secretKeyFile(dataDir);
  const source = secretKey === undefined ? file : 'SECRET_KEY';
  const secret = secretKey ?? (existsSync(file) ? readFileSync(file, 'utf8').trim() : null);
  if (secret === null)
    return failed(
      'secret_key',
      `SECRET_KEY is unset and ${file} is missing`,
      'restore that file, or set SECRET_KEY',
    );
  if (keys.length === 0) return failed('secret_key', 'there is no signing key', 'start the server once');
  return opensSigningKeys(new SecretKey(secret), keys)
    ? ok('secret_key', `${source} opens the signing keys (${keys.length})`)
    : failed(
        'secret_key',
        `${source} does not open the signing keys`,
        'set the one that the database was encrypted with',
      );
}
