import { existsSync } from 'node:fs';
import { InvalidSettings } from '../config/invalid-settings.js';
import { secretKeyFile } from '../config/secret-key.js';
import type { Settings } from '../config/settings.js';
import { isTransactionConflict } from '../database/database-error.js';
import { inSqliteFile, tablesOf } from '../database/sqlite/sqlite-file.js';

/**
 * Refuses to generate a new secret next to a database whose signing keys were encrypted under a lost one.
 * Call it before the secret is generated.
 * @throws InvalidSettings
 */
export function refuseLostSecretKey({
  database,
  dataDir,
  secretKey,
}: Pick<Settings, 'database' | 'dataDir' | 'secretKey'>): void {
  if (database.kind !== 'sqlite' || secretKey !== undefined || !existsSync(database.path)) return;
  // In this order: a server that starts concurrently creates the secret before the first key.
  const hasKeys = holdsSigningKeys(database.path);
  const path = secretKeyFile(dataDir);
  if (!hasKeys || existsSync(path)) return;
  throw new InvalidSettings([
    `SECRET_KEY is unset and ${path} is missing, but the signing keys in ${database.path} were encrypted under ` +
      'such a key: restore the file from a backup, or set SECRET_KEY to the former key',
  ]);
}

function holdsSigningKeys(path: string): boolean {
  try {
    return inSqliteFile(
      path,
      (connection) =>
        tablesOf(connection).includes('signing_keys') &&
        connection.prepare('SELECT 1 FROM signing_keys LIMIT 1').get() !== undefined,
    );
  } catch (error) {
    // Another process has the file, so it has a secret as well.
    if (isTransactionConflict(error)) return false;
    throw error;
  }
}
