import { scryptSync } from 'node:crypto';
import { hashSync, verifySync } from '@node-rs/argon2';
import { equalInConstantTime } from '../common/crypto.js';
import type { PasswordHashParameters } from './password-hash-parameters.js';

// What a password hash takes: 12 ms of a processor, so nobody calls these but the threads for it.

/** What every hash by these parameters begins with. */
export function prefixOf({ memoryCost, timeCost, parallelism }: PasswordHashParameters): string {
  return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$`;
}

/** @returns PHC string (argon2id, the library's default algorithm) */
export function hash(task: { password: string; parameters: PasswordHashParameters }): string {
  return hashSync(task.password, task.parameters);
}

/**
 * Whether the password is that of the PHC string.
 * @throws Error when the string has an unknown format
 */
export function matches({ phc, password }: { phc: string; password: string }): boolean {
  return phc.startsWith('$scrypt$') ? matchesScrypt(phc, password) : verifySync(phc, password);
}

/** `$scrypt$ln=14,r=8,p=1$<salt>$<hash>`, base64 without padding: what the earlier servers' passwords came as. */
function matchesScrypt(phc: string, password: string): boolean {
  const parts = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(
    phc,
  );
  if (!parts) throw new Error('a stored password has an unknown format');
  const [, ln, r, p, salt = '', expected = ''] = parts;
  const expectedBytes = Buffer.from(expected, 'base64');
  const derived = scryptSync(password, Buffer.from(salt, 'base64'), expectedBytes.length, {
    N: 2 ** Number(ln),
    r: Number(r),
    p: Number(p),
    maxmem: 256 * 1024 * 1024,
  });
  return equalInConstantTime(derived.toString('base64'), expectedBytes.toString('base64'));
}
