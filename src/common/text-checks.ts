import { createPrivateKey } from 'node:crypto';
import { isEmail } from 'class-validator';
import { comparisonKey } from './text-keys.js';

/** Characters, as written and as compared. */
export const MAIL_MAX = 254;
export const PASSWORD_MIN_CHARACTERS = 8;
export const PASSWORD_MAX_BYTES = 1024;
/** Control characters, and the two that Unicode has for ends of lines and paragraphs. */
const CONTROL_CHARACTERS = /[\p{Cc}\u2028\u2029]/u;
/** Half a surrogate pair: UTF-8 has no place for it, so it would be stored and hashed as something else. */
const LONE_SURROGATE = /\p{Surrogate}/u;
export const INT32_MAX = 2 ** 31 - 1;

/** Nothing invisible, no blank, and no quotes: quoted, one mailbox has many spellings (RFC 5321 section 4.1.2). */
const MAIL_CHARACTERS = /^[^\p{C}\p{Z}"]+$/u;

export function isMail(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    MAIL_CHARACTERS.test(value) &&
    isEmail(value) &&
    comparisonKey(value).length <= MAIL_MAX
  );
}

export function isHandle(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,100}$/.test(value);
}

/** The length is counted in characters (code points) below, in bytes above. */
export function passwordFault(value: string): 'tooShort' | 'tooLong' | null {
  if ([...value].length < PASSWORD_MIN_CHARACTERS) return 'tooShort';
  return Buffer.byteLength(value) > PASSWORD_MAX_BYTES ? 'tooLong' : null;
}

/** Text of 1 to `max` characters after trimming, on one line; also after folding to its comparison key. */
export function isLine(value: unknown, max: number): value is string {
  if (typeof value !== 'string' || CONTROL_CHARACTERS.test(value) || isIllFormed(value)) return false;
  const trimmed = value.trim();
  return trimmed.length > 0 && [...trimmed].length <= max && comparisonKey(trimmed).length <= 3 * max;
}

export function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) <= INT32_MAX;
}

/** Requests name scopes in one string, separated by commas or blanks, so a name has neither. */
export function isScopeName(value: unknown): boolean {
  return isLine(value, 60) && !/[\s,]/.test(value);
}

export function isIllFormed(value: unknown): boolean {
  return typeof value === 'string' && LONE_SURROGATE.test(value);
}

/** Text that is looked up or compared, not shown: 1 to `max` characters on one line. */
export function isOpaque(value: unknown, max: number): boolean {
  return (
    typeof value === 'string' && value.length > 0 && value.length <= max && !CONTROL_CHARACTERS.test(value)
  );
}

/** The .p8 file of Apple: PKCS#8 PEM of a private key for ES256 (RFC 7518 section 3.4). */
export function isApplePrivateKey(text: string): boolean {
  if (!text.trimStart().startsWith('-----BEGIN PRIVATE KEY-----')) return false;
  try {
    return createPrivateKey(text).asymmetricKeyDetails?.namedCurve === 'prime256v1';
  } catch {
    return false; // createPrivateKey throws a different OpenSSL error for every way a key can be broken.
  }
}

/** Printable ASCII without blanks: what ids and secrets of programs are made of. */
export function isIdentifier(value: unknown, min: number, max: number): boolean {
  return (
    typeof value === 'string' && value.length >= min && value.length <= max && /^[\x21-\x7e]*$/.test(value)
  );
}
