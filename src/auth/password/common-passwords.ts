import type * as LanguagePackage from '@zxcvbn-ts/language-common';
import { loadWhenNeeded } from '../../common/load-when-needed.js';
import { PASSWORD_MIN_CHARACTERS } from '../../common/text-checks.js';

let commonPasswords: Set<string> | undefined;

/**
 * Whether the password is on the list of common passwords, ignoring case.
 * @see NIST SP 800-63B section 5.1.1.2; the list is that of zxcvbn-ts, 18,000 entries of which are long
 *   enough
 */
export function isCommonPassword(password: string): boolean {
  commonPasswords ??= readList();
  return commonPasswords.has(password.toLowerCase());
}

/** Loaded lazily: many processes never set a password. */
function readList(): Set<string> {
  const { dictionary } = loadWhenNeeded<typeof LanguagePackage>('@zxcvbn-ts/language-common');
  return new Set(dictionary['passwords-common'].filter(({ length }) => length >= PASSWORD_MIN_CHARACTERS));
}
