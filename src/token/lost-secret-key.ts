import { existsSync } from 'node:fs';
import { InvalidSettings } from '../config/invalid-settings.js';
import { secretKeyFile } from '../config/secret-key.js';
import type { Settings } from '../config/settings.js';
import { isTransactionConflict } from '../database/database-error.js';
import { countInFile } from '../database/sqlite/count-in-file.js';

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
  const statements = [
    "SELECT COUNT(*) AS n FROM sqlite_master WHERE name = 'signing_keys'",
    'SELECT COUNT(*) AS n FROM signing_keys',
  ];
  try {
    return countInFile(path, statements) > 0;
  } catch (error) {
    // Another process has the file, so it has a secret as well.
    if (isTransactionConflict(error)) return false;
    throw error;
  }
}
