import { createHash } from 'node:crypto';
import { isStrongSecret } from '../../src/common/secret-strength.js';

/** Looks random, and is the same in each run. */
const bytes = (seed: number, length: number) =>
  createHash('sha512').update(`secret ${seed}`).digest().subarray(0, length);

describe('a secret of 128 random bits', () => {
  it.each([
    ['hexadecimal', (seed: number) => bytes(seed, 16).toString('hex')],
    ['base64url', (seed: number) => bytes(seed, 16).toString('base64url')],
    ['base64', (seed: number) => bytes(seed, 16).toString('base64')],
    ['base64url of 256 bits', (seed: number) => bytes(seed, 32).toString('base64url')],
  ])('is strong, whatever words it has by chance: %s', (_form, make) => {
    const secrets = Array.from({ length: 3000 }, (_, seed) => make(seed));
    expect(secrets.filter((secret) => !isStrongSecret(secret))).toEqual([]);
  });

  it.each([
    ['12 bytes in hexadecimal', bytes(1, 12).toString('hex')],
    ['12 bytes in base64', bytes(1, 12).toString('base64')],
    ['a UUID', 'f81d4fae-7dec-41d0-a765-00a0c91e6bf6'],
    ['words', 'correct-horse-battery-staple'],
    ['one character', 'a'.repeat(255)],
    ['a sequence', 'abcdefghijklmnopqrstuvwxyz0123456789'],
    ['a repetition', 'Vq7xM2pLz9'.repeat(5)],
    ['decimal digits', '4821907365518243970612'],
  ])('is not %s', (_what, secret) => {
    expect(isStrongSecret(secret)).toBe(false);
  });
});
