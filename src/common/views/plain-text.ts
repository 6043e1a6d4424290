const MAX_NAME_LENGTH = 60;

// Control characters, line separators and bidirectional marks.
const LINE_BREAKERS = /[\p{Cc}\p{Zl}\p{Zp}]+/gu;
const DIRECTION_MARKS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** The text on one line, without marks that would reorder the text around it. */
export function singleLine(text: string): string {
  return text.replace(DIRECTION_MARKS, '').replace(LINE_BREAKERS, ' ').trim();
}

// Mail programs turn these into links: `x://`, `www.`, `evil.com`, `a@b`, telephone numbers.
const LINK_LIKE = [
  /:\/\//,
  /\bwww\b/i,
  /[^\s.。][.。][\p{L}\p{N}-]{2,}/u,
  /\S@\S/,
  /(?:\p{N}[\s().\-+/]*){7,}/u,
];

/**
 * A name fit for the greeting of a mail, or null when the mail should greet without one.
 *
 * A person who signs up chooses both the name and the recipient, so a name could send an advertisement to
 * strangers in Pluto's mail. A name that a mail program might turn into a link is therefore left out.
 */
export function greetableName(name: string): string | null {
  const line = singleLine(name);
  const comparable = line.normalize('NFKC').replace(/\p{Cf}/gu, '');
  if (line === '' || LINK_LIKE.some((pattern) => pattern.test(comparable))) return null;
  const characters = [...line];
  return characters.length <= MAX_NAME_LENGTH
    ? line
    : `${characters.slice(0, MAX_NAME_LENGTH - 1).join('')}…`;
}
