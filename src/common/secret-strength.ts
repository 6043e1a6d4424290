import type * as LanguagePackage from '@zxcvbn-ts/language-common';
import { loadWhenNeeded } from './load-when-needed.js';

/** RFC 6749 section 10.10 and RFC 6819 section 5.1.4.2.2. */
const BITS_MIN = 128;
/** By chance a random secret has words and sequences in it; still nobody can guess what is left. */
const BITS_BY_CHANCE = 20;
const WORD_MIN = 4;
const WORD_MAX = 16;
/** The bits of a character that goes on from those before it: `1234`, `aaaa`. */
const BITS_OF_SEQUENCE = 1;
const UUID = /^\{?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\}?$/i;
const REPEATED_MIN = 4;

const alphabets: [characters: RegExp, size: number][] = [
  [/^[0-9]+$/, 10],
  [/^(?:[0-9a-f]+|[0-9A-F]+)$/, 16],
];
const classes: [characters: RegExp, size: number][] = [
  [/[0-9]/, 10],
  [/[a-z]/, 26],
  [/[A-Z]/, 26],
  [/[-_+/=]/, 3],
  [/[^0-9A-Za-z_+/=-]/, 28],
];

/** Both kinds of letters: of random base64, 22 characters have no digit once in fifty times. */
const LETTERS = 52;
const BASE64 = 64;

/** A secret for documents. */
export const EXAMPLE_SECRET = 'Vq7xM2pLz9TfWc4nKj8HsR6bYd';

let commonWords: Set<string> | undefined;

/**
 * Whether a secret of a program is as hard to guess as 128 random bits, as far as its looks tell: 32 random
 * hexadecimal digits or 22 random characters of base64 are; words, sequences and repetitions count little.
 * @param secret printable ASCII
 */
export function isStrongSecret(secret: string): boolean {
  // A UUID has 122 random bits at most (RFC 9562 section 5.4).
  if (UUID.test(secret) || secret.length * bitsPerCharacter(secret) < BITS_MIN) return false;
  return strengthOf(secret) >= BITS_MIN - BITS_BY_CHANCE;
}

function strengthOf(secret: string): number {
  const perCharacter = bitsPerCharacter(secret);
  let bits = 0;
  for (let at = 0; at < secret.length;) {
    const word = wordAt(secret, at);
    const repeated = repeatedAt(secret, at);
    const length = Math.max(word, repeated, 1);
    const most = length * perCharacter;
    if (length === 1) bits += goesOn(secret, at) ? BITS_OF_SEQUENCE : perCharacter;
    else bits += Math.min(most, repeated >= word ? Math.log2(secret.length) : Math.log2(words().size) + 1);
    at += length;
  }
  return bits;
}

function bitsPerCharacter(secret: string): number {
  const [, single] = alphabets.find(([characters]) => characters.test(secret)) ?? [];
  if (single !== undefined) return Math.log2(single);
  const size = classes.reduce((sum, [characters, count]) => sum + (characters.test(secret) ? count : 0), 0);
  return Math.log2(size >= LETTERS ? Math.max(size, BASE64) : size);
}

/** The length of the longest common word or password there; 0 for none. */
function wordAt(secret: string, at: number): number {
  const rest = secret.slice(at, at + WORD_MAX).toLowerCase();
  for (let length = rest.length; length >= WORD_MIN; length--)
    if (words().has(rest.slice(0, length))) return length;
  return 0;
}

/** How many characters from there on have occurred before, in the same order. */
function repeatedAt(secret: string, at: number): number {
  let length = 0;
  while (at + length < secret.length && secret.slice(0, at).includes(secret.slice(at, at + length + 1)))
    length++;
  return length >= REPEATED_MIN ? length : 0;
}

/** Whether the character follows from the two before it. */
function goesOn(secret: string, at: number): boolean {
  if (at < 2) return false;
  const [one = 0, two = 0, three = 0] = [at - 2, at - 1, at].map((place) => secret.charCodeAt(place));
  return three - two === two - one && Math.abs(three - two) <= 1;
}

/** Loaded lazily: most processes never register a client. */
function words(): Set<string> {
  if (commonWords) return commonWords;
  const { dictionary } = loadWhenNeeded<typeof LanguagePackage>('@zxcvbn-ts/language-common');
  const known = [...dictionary['passwords-common'], ...dictionary['diceware-common']];
  commonWords = new Set(known.filter(({ length }) => length >= WORD_MIN && length <= WORD_MAX));
  return commonWords;
}
