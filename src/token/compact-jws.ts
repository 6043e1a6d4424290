import { sign, verify, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import DataLoader from 'dataloader';
import { endOfTurn } from '../common/end-of-turn.js';

const ALGORITHM = 'RSA-SHA256';
/** As many wake libuv's threads for less than it takes to check them; 5 to 13 µs of the event loop each, and not 30. */
const MANY = 4;

interface Check {
  input: Buffer;
  key: KeyObject;
  signature: Buffer;
}

const signBeside = promisify(sign);
const verifyBeside = promisify(verify);
/** Those of one turn of the event loop: many are checked beside it, few on it. */
const checks = new DataLoader<Check, boolean>(
  (all) => Promise.all(all.map((check) => isGood(check, all.length < MANY ? verify : verifyBeside))),
  { cache: false, batchScheduleFn: (check) => void endOfTurn().then(check) },
);

/** The first part of an access token that is signed by the key: always the same text. */
export function encodedHeader(kid: string): string {
  return base64url(JSON.stringify({ alg: 'RS256', typ: 'JWT', kid }));
}

/** Signs by RS256 (RFC 7518 section 3.3) and serialises (RFC 7515 section 7.1). */
export async function signCompact(header: string, payload: object, key: KeyObject): Promise<string> {
  const input = `${header}.${base64url(JSON.stringify(payload))}`;
  const signature = await signBeside(ALGORITHM, Buffer.from(input), key);
  return `${input}.${signature.toString('base64url')}`;
}

/**
 * The payload of a token that begins with the header, if its signature is the key's. The header is compared as a text and
 * not read, so that no token chooses how it is checked.
 */
export async function payloadIfSigned(token: string, header: string, key: KeyObject): Promise<unknown> {
  const [first, payload = '', signature = '', ...more] = token.split('.');
  if (first !== header || more.length > 0 || !isBase64url(signature)) return null;
  const input = Buffer.from(`${header}.${payload}`);
  const isSigned = await checks.load({ input, key, signature: Buffer.from(signature, 'base64url') });
  return isSigned ? readJson(payload) : null;
}

/** One that cannot be checked is not good, and does not keep the others from being so. */
async function isGood(
  { input, key, signature }: Check,
  verifies: typeof verify | typeof verifyBeside,
): Promise<boolean> {
  try {
    return await verifies(ALGORITHM, input, key, signature);
  } catch {
    return false;
  }
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url');
}

function readJson(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString());
  } catch {
    return null;
  }
}

/** Buffer passes over what is none. */
function isBase64url(text: string): boolean {
  return /^[\w-]+$/.test(text);
}
