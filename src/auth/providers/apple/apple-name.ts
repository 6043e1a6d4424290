/** Whose names have the family name first and no blank: Han, Kana, Hangul. */
const FAMILY_FIRST = /^[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}\u30fc\u3005]+$/u;

const textOf = (value: unknown): string => (typeof value === 'string' ? value.trim() : '');

/**
 * The name that Apple told the app: a text, or the object `fullName` of its credential or of
 * Sign in with Apple JS, whatever the spelling of its keys.
 * @returns given and family name in the order of their language; undefined for no name
 */
export function appleName(name: unknown): string | undefined {
  if (typeof name === 'string') return name;
  if (typeof name !== 'object' || name === null) return undefined;
  const { given_name, givenName, firstName, family_name, familyName, lastName } = name as Record<
    string,
    unknown
  >;
  const given = textOf(given_name ?? givenName ?? firstName);
  const family = textOf(family_name ?? familyName ?? lastName);
  const isFamilyFirst = FAMILY_FIRST.test(given + family);
  return (isFamilyFirst ? family + given : `${given} ${family}`).trim() || undefined;
}
