import { PlutoError } from '../common/errors.js';
import { PASSWORD_MIN_CHARACTERS } from '../common/text-checks.js';

let commonPasswords: Promise<Set<string>> | undefined;

/**
 * Is it one of the passwords that guessers try first? The case of its letters does not make it better.
 * @see NIST SP 800-63B section 5.1.1.2; the list is that of zxcvbn-ts, 18,000 of which are long enough to be chosen
 */
export async function isCommonPassword(password: string): Promise<boolean> {
  return (await loadList()).has(password.toLowerCase());
}

/** @throws PlutoError badRequest */
export async function assertUncommon(password: string): Promise<void> {
  if (!(await isCommonPassword(password))) return;
  throw new PlutoError('badRequest', {
    message: 'Bad Request: password is one of those that are guessed first; choose another',
  });
}

/** Read when it is first needed: a server that nobody registers at does without. */
function loadList(): Promise<Set<string>> {
  commonPasswords ??= import('@zxcvbn-ts/language-common').then(
    ({ dictionary }) =>
      new Set(dictionary['passwords-common'].filter(({ length }) => length >= PASSWORD_MIN_CHARACTERS)),
  );
  return commonPasswords;
}
