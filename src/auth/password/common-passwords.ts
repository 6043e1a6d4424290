import type * as LanguagePackage from '@zxcvbn-ts/language-common';
import { PlutoError } from '../../common/errors.js';
import { loadWhenNeeded } from '../../common/load-when-needed.js';
import { PASSWORD_MIN_CHARACTERS } from '../../common/text-checks.js';

let commonPasswords: Set<string> | undefined;

/**
 * Is it one of the passwords that guessers try first? The case of its letters does not make it better.
 * @see NIST SP 800-63B section 5.1.1.2; the list is that of zxcvbn-ts, 18,000 of which are long enough to be chosen
 */
export function isCommonPassword(password: string): boolean {
  commonPasswords ??= readList();
  return commonPasswords.has(password.toLowerCase());
}

/** @throws PlutoError badRequest */
export function assertUncommon(password: string): void {
  if (!isCommonPassword(password)) return;
  throw new PlutoError('badRequest', {
    message: 'Bad Request: password is too common; choose another',
  });
}

/** When it is first needed: a server that nobody registers at does without. */
function readList(): Set<string> {
  const { dictionary } = loadWhenNeeded<typeof LanguagePackage>('@zxcvbn-ts/language-common');
  return new Set(dictionary['passwords-common'].filter(({ length }) => length >= PASSWORD_MIN_CHARACTERS));
}
