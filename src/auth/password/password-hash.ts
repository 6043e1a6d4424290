import { scrypt, type ScryptOptions } from 'node:crypto';
import { promisify } from 'node:util';
import { verify, type Options } from '@node-rs/argon2';
import { equalInConstantTime } from '../../common/crypto.js';

const deriveScrypt = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

/**
 * Verifies a password against a PHC string.
 * @throws Error when the string has an unknown format
 */
export function matches(phc: string, password: string): Promise<boolean> {
  return phc.startsWith('$scrypt$') ? matchesScrypt(phc, password) : verify(phc, password);
}

/** The parameters and the salt of a PHC string; null if it is not of argon2id. */
export function argon2Settings(phc: string): Options | null {
  const parts = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(phc);
  if (!parts) return null;
  const [, memoryCost, timeCost, parallelism, salt = '', output = ''] = parts;
  return {
    memoryCost: Number(memoryCost),
    timeCost: Number(timeCost),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64'),
    outputLen: Buffer.from(output, 'base64').length,
  };
}

/**
 * `$scrypt$ln=14,r=8,p=1$<salt>$<hash>`, base64 without padding: the format imported from the earlier
 * servers.
 */
async function matchesScrypt(phc: string, password: string): Promise<boolean> {
  const parts = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(
    phc,
  );
  if (!parts) throw new Error('a stored password has an unknown format');
  const [, ln, r, p, salt = '', expected = ''] = parts;
  const expectedBytes = Buffer.from(expected, 'base64');
  const derived = await deriveScrypt(password, Buffer.from(salt, 'base64'), expectedBytes.length, {
    N: 2 ** Number(ln),
    r: Number(r),
    p: Number(p),
    maxmem: 256 * 1024 * 1024,
  });
  return equalInConstantTime(derived.toString('base64'), expectedBytes.toString('base64'));
}
