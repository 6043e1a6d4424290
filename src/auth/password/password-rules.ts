import { PlutoError } from '../../common/errors.js';
import { comparisonKey } from '../../common/text-keys.js';
import { isCommonPassword } from './common-passwords.js';

/** Why a password is easy to guess. */
export type Weakness = 'common' | 'personal';

/** Shorter words would refuse passwords that merely contain them. */
const WORD_MIN = 4;
/** What must remain of a password without the word. */
const REST_MIN = 5;

/** What to say of each. */
export const weaknessMessages = {
  common: 'password is too common; choose another',
  personal: 'password must not be your mail address, user id or name, or the name of the application',
} as const satisfies Record<Weakness, string>;

/**
 * @param words about the account: its mail, handle and name, and the application's name
 * @returns null for a password that is not easy to guess
 * @see ASVS 5.0 6.2.11; NIST SP 800-63B-4 section 3.1.1.2
 */
export function weaknessOf(password: string, words: readonly string[]): Weakness | null {
  if (isCommonPassword(password) || isRepetition(password)) return 'common';
  const key = comparisonKey(password);
  return partsOf(words).some((word) => isBuiltOn(key, word)) ? 'personal' : null;
}

/** @throws PlutoError badRequest */
export function assertHardToGuess(password: string, words: readonly string[]): void {
  const weakness = weaknessOf(password, words);
  if (weakness) throw new PlutoError('badRequest', { message: `Bad Request: ${weaknessMessages[weakness]}` });
}

/** One to three characters, over and over: `aaaaaaaa`, `12121212`. */
function isRepetition(password: string): boolean {
  return /^(.{1,3}?)\1*$/su.test(password.toLowerCase()) && new Set(password).size <= 3;
}

/** Each word, and the mailbox of a mail address. */
function partsOf(words: readonly string[]): string[] {
  return words
    .flatMap((word) => [word, word.split('@', 1)[0] ?? ''])
    .map((word) => comparisonKey(word.trim()))
    .filter((word) => [...word].length > 0);
}

/** Whether the password is the word, perhaps with a few characters more: `ann@example.com1`. */
function isBuiltOn(key: string, word: string): boolean {
  if (key === word) return true;
  return [...word].length >= WORD_MIN && key.includes(word) && [...key.replace(word, '')].length < REST_MIN;
}
