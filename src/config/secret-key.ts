import { hkdfSync, randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { syncPath } from '../common/durable-files.js';
import { InvalidSettings } from './invalid-settings.js';
import { type Settings } from './settings.js';

/** Name of the generated secret's file in `DATA_DIR`. */
export const SECRET_KEY_FILE = 'secret.key';

export function secretKeyFile(dataDir: string): string {
  return join(dataDir, SECRET_KEY_FILE);
}

/** The secret that every other key is derived from; it appears in no log, inspection or JSON. */
export class SecretKey {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  /**
   * Derives a key for one purpose; every instance derives the same key for the same purpose.
   * @param purpose unique name of the use, such as `signing-keys`
   * @returns 32 bytes
   * @see RFC 5869 (HKDF-SHA256, no salt, info `pluto:<purpose>`)
   */
  derive(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#key, '', `pluto:${purpose}`, 32));
  }
}

/**
 * Returns `SECRET_KEY`, or else the content of `DATA_DIR/secret.key`, which is generated at the first start;
 * processes that start concurrently agree on one key.
 * @throws InvalidSettings when the file does not hold a generated key; a new key could not decrypt what the
 *   old one encrypted
 */
export function resolveSecretKey(settings: Pick<Settings, 'secretKey' | 'dataDir'>): string {
  if (settings.secretKey !== undefined) return settings.secretKey;
  const path = secretKeyFile(settings.dataDir);
  const existing = findKey(path);
  if (existing !== null) return existing;
  createKey(path);
  return readKey(path);
}

function findKey(path: string): string | null {
  try {
    return readKey(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function readKey(path: string): string {
  const key = readFileSync(path, 'utf8').replace(/\n$/, '');
  if (!/^[\w-]{43}$/.test(key)) {
    throw new InvalidSettings([
      `SECRET_KEY is unset and ${path} does not hold the 43 characters generated for it; restore it or set SECRET_KEY`,
    ]);
  }
  return key;
}

// link() is atomic and never replaces a file: the first process wins, and none reads a partial key.
function createKey(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomBytes(8).toString('hex')}`;
  try {
    writeFileSync(temporary, randomBytes(32).toString('base64url'), { flag: 'wx', mode: 0o600 });
    syncPath(temporary);
    linkSync(temporary, path);
    syncPath(dirname(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}
