import { createPrivateKey } from 'node:crypto';
import { isEmail } from 'class-validator';
import { deliveryAddress, mailKey } from './mail-addresses.js';
import { comparisonKey } from './text-keys.js';

/** In characters, both as written and as compared. */
export const MAIL_MAX = 254;
export const PASSWORD_MIN_CHARACTERS = 8;
export const PASSWORD_MAX_BYTES = 1024;
/** Control characters, and Unicode's line and paragraph separators. */
const CONTROL_CHARACTERS = /[\p{Cc}\u2028\u2029]/u;
/**
 * What shows nothing: formats and bidirectional marks, blanks, what renderers leave out unless they support
 * it (UAX 44, Default_Ignorable_Code_Point), and letters that are blank, such as an empty Braille pattern.
 */
const INVISIBLE =
  /[\p{Cc}\p{Cf}\p{Z}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]|\u2800|\u{13441}|\u{13442}|\u{16fe4}|\u{1d159}/gu;
/** Half a surrogate pair cannot be encoded in UTF-8, so it would be stored and hashed as something else. */
const LONE_SURROGATE = /\p{Surrogate}/u;
export const INT32_MAX = 2 ** 31 - 1;

/**
 * No invisible characters, spaces or quotes: a quoted mailbox has many spellings (RFC 5321 section 4.1.2).
 */
const MAIL_CHARACTERS = /^[^\p{C}\p{Z}"]+$/u;

export function isMail(value: unknown): value is string {
  if (typeof value !== 'string' || !MAIL_CHARACTERS.test(value) || !isEmail(value)) return false;
  const delivered = deliveryAddress(value);
  return (
    delivered !== null &&
    isEmail(delivered) &&
    delivered.length <= MAIL_MAX &&
    mailKey(value).length <= MAIL_MAX
  );
}

/**
 * Also an address at a host without a dot, such as the default administrator's `admin@localhost`. Only
 * operators set up such accounts, so this is for what is looked up; `isMail` is for what is stored.
 */
export function isMailbox(value: unknown): value is string {
  if (isMail(value)) return true;
  return typeof value === 'string' && /@[^@.]+$/.test(value) && isMail(`${value}.localhost`);
}

export function isHandle(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,100}$/.test(value);
}

/** The minimum is in characters (code points), the maximum in bytes. */
export function passwordFault(value: string): 'tooShort' | 'tooLong' | null {
  if ([...value].length < PASSWORD_MIN_CHARACTERS) return 'tooShort';
  return Buffer.byteLength(value) > PASSWORD_MAX_BYTES ? 'tooLong' : null;
}

/** The text with a letter in place of each control character; the same text if there is none. */
export function withoutControls(value: string): string {
  return value.replace(new RegExp(CONTROL_CHARACTERS, 'gu'), 'x');
}

/**
 * One line of 1 to `max` characters after trimming; its comparison key may have at most three times as many.
 */
export function isLine(value: unknown, max: number): value is string {
  if (typeof value !== 'string' || CONTROL_CHARACTERS.test(value) || isIllFormed(value)) return false;
  const trimmed = value.trim();
  return trimmed.length > 0 && [...trimmed].length <= max && comparisonKey(trimmed).length <= 3 * max;
}

/** A line that people can see, for names that are given to something. */
export function isName(value: unknown, max: number): value is string {
  return isLine(value, max) && value.replace(INVISIBLE, '') !== '';
}

export function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) <= INT32_MAX;
}

/** Requests list scopes in one string, separated by commas or whitespace, so a name may contain neither. */
export function isScopeName(value: unknown): boolean {
  return isName(value, 60) && !/[\s,]/.test(value);
}

export function isIllFormed(value: unknown): boolean {
  return typeof value === 'string' && LONE_SURROGATE.test(value);
}

/** Text that is only looked up or compared: 1 to `max` characters on one line. */
export function isOpaque(value: unknown, max: number): boolean {
  return (
    typeof value === 'string' && value.length > 0 && value.length <= max && !CONTROL_CHARACTERS.test(value)
  );
}

/** A PEM as it was; `.env` files and dashboards make one line of it, with `\n` for each line break. */
export function unfoldedPem(text: string): string {
  return text.replaceAll('\\n', '\n');
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

/** Printable ASCII without spaces, for ids and secrets of programs. */
export function isIdentifier(value: unknown, min: number, max: number): boolean {
  return (
    typeof value === 'string' && value.length >= min && value.length <= max && /^[\x21-\x7e]*$/.test(value)
  );
}
