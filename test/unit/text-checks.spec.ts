import { isName, isScopeName } from '../../src/common/text-checks.js';

const INVISIBLE = [
  ['a zero-width space', '\u200b'],
  ['a zero-width joiner', '\u200d'],
  ['a byte order mark', '\ufeff'],
  ['bidirectional marks', '\u202e\u2066\u2069\u061c'],
  ['a soft hyphen', '\u00ad'],
  ['a word joiner between blanks', ' \u2060\u3000'],
  ['a Hangul filler', '\u3164'],
  ['a half-width Hangul filler', '\uffa0'],
  ['an empty Braille pattern', '\u2800'],
  ['a variation selector', '\ufe0f'],
  ['a grapheme joiner', '\u034f'],
  ['tags', '\u{e0041}\u{e007f}'],
  ['an unassigned character that is left out', '\u{e0fff}'],
  ['a noncharacter', '\ufdd0'],
  ['a musical null note', '\u{1d159}'],
] as const;

const VISIBLE = [
  ['a letter', 'a'],
  ['a Chinese character', '王'],
  ['an Arabic name with its mark', '\u200fسلام'],
  ['a Persian name with a non-joiner', 'علی\u200cرضا'],
  ['a family of emoji', '👨\u200d👩\u200d👧'],
  ['an emoji with a selector', '❤\ufe0f'],
  ['an emoji that this Unicode version does not know', '\u{1fadd}'],
  ['a flag of tags', '🏴\u{e0067}\u{e0062}\u{e0065}\u{e007f}'],
  ['a sign', '.'],
] as const;

describe('isName', () => {
  it.each(INVISIBLE)('refuses %s alone', (_what, text) => {
    for (const name of [text, text + text]) expect(isName(name, 60)).toBe(false);
    expect(isScopeName(text)).toBe(false);
  });

  it.each(INVISIBLE)('accepts %s next to a letter', (_what, text) => {
    expect(isName(`a${text}`, 60)).toBe(true);
  });

  it.each(VISIBLE)('accepts %s', (_what, text) => {
    expect([isName(text, 60), isScopeName(text)]).toEqual([true, true]);
  });

  it.each(['', ' ', '\u0000', '\u0007', 'a\nb', 'a\u2028', '\ud800', 'a'.repeat(61), null, 1])(
    'refuses what is no line of 60 characters: %j',
    (value) => {
      expect(isName(value, 60)).toBe(false);
    },
  );
});
