import { sign, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';

const signInThread = promisify(sign);

/**
 * Signs a JWT by RS256, off the event loop. By node:crypto: jose with its WebCrypto takes twice as long on
 * the event loop. See docs/performance.md.
 * @returns the compact serialization
 * @see RFC 7515 section 7.1; RFC 7518 section 3.3
 */
export async function signCompact(claims: object, kid: string, key: KeyObject): Promise<string> {
  const header = base64url({ alg: 'RS256', typ: 'JWT', kid });
  const input = `${header}.${base64url(claims)}`;
  const signature = await signInThread('RSA-SHA256', Buffer.from(input), key);
  return `${input}.${signature.toString('base64url')}`;
}

function base64url(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
