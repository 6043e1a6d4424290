import { RawText } from './hostile-values.js';

/** Lists by a repeated key; what is neither list nor text, as JSON. */
export function pairsOf(entries: (readonly [string, unknown])[]): string {
  return entries
    .flatMap(([name, value]) => (Array.isArray(value) ? value : [value]).map((one) => [name, one] as const))
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .join('&');
}

/** A path filled in, with its query. */
export function addressOf(
  template: string,
  path: (readonly [string, unknown])[],
  query: (readonly [string, unknown])[],
): string {
  const filled = path.reduce(
    (soFar, [name, value]) => soFar.replace(`{${name}}`, () => segmentOf(value)),
    template,
  );
  // A parameter that there is nothing for.
  const address = filled.replace(/\{\w+\}/g, 'none');
  return query.length === 0 ? address : `${address}?${pairsOf(query)}`;
}

/** Slashes in a row count as one, so an empty segment would make it the address of another route. */
function segmentOf(value: unknown): string {
  const segment = encode(value);
  return /^\/*$/.test(segment) ? 'none' : segment;
}

function encode(value: unknown): string {
  if (value instanceof RawText) return value.text;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  // Half a surrogate pair in the bytes that it would have.
  return text.replace(/[^A-Za-z0-9._~-]/gu, (character) => {
    const code = character.codePointAt(0)!;
    const isLone = code >= 0xd800 && code <= 0xdfff;
    const bytes = isLone
      ? [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]
      : [...Buffer.from(character)];
    return bytes.map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  });
}
