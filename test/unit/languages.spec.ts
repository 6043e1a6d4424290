import { bestMatch, chooseLanguage, preferredLanguages } from '../../src/common/languages.js';

describe('preferredLanguages', () => {
  it('orders by quality, then by place', () => {
    expect(preferredLanguages('fr;q=0.3, zh-TW, zh;q=0.9, en-US;q=0.9')).toEqual([
      'zh-TW',
      'zh',
      'en-US',
      'fr',
    ]);
  });

  it('gives canonical tags, each once', () => {
    expect(preferredLanguages('EN-us, en-US;q=0.5, zh-hans-cn;q=0.4')).toEqual(['en-US', 'zh-Hans-CN']);
  });

  it('leaves out the wildcard and what is refused', () => {
    expect(preferredLanguages('*, ja;q=0, en;q=0.1')).toEqual(['en']);
  });

  it.each([
    undefined,
    '',
    ' ',
    ';;;,,,===',
    'e',
    'en__US',
    '<script>',
    'en;q=zz',
    '-'.repeat(900),
    ',;'.repeat(400),
  ])('finds nothing in %j', (header) => {
    expect(preferredLanguages(header)).toEqual([]);
  });

  it('ignores a header longer than any browser sends', () => {
    expect(preferredLanguages('ja,'.repeat(400))).toEqual([]);
  });
});

describe('chooseLanguage', () => {
  it.each(['zh_CN', 'zh_Hans_CN;q=0.9'])('reads the spelling of Java: %s', (header) => {
    expect(chooseLanguage(header)).toBe('zh');
  });

  it.each([
    ['ja-JP', 'ja'],
    ['zh-CN,zh;q=0.9,en;q=0.8', 'zh'],
    ['zh-TW', 'zh'],
    ['cmn-Hans', 'zh'],
    ['en-GB', 'en'],
    ['de, ja;q=0.5', 'ja'],
    ['en;q=0.1, zh;q=0.2', 'zh'],
    ['de', 'en'],
    ['*', 'en'],
    ['\u0000\uffff', 'en'],
    [undefined, 'en'],
  ])('reads %j as %s', (header, language) => {
    expect(chooseLanguage(header)).toBe(language);
  });
});

describe('bestMatch', () => {
  it('takes the first preferred language that is there', () => {
    expect(bestMatch(['de', 'fr-CA', 'en'], ['en', 'fr'])).toBe('fr');
  });

  it('prefers the same script, then the same region', () => {
    expect(bestMatch(['zh-TW'], ['zh', 'zh-Hant'])).toBe('zh-Hant');
    expect(bestMatch(['zh-SG'], ['zh-TW', 'zh-CN'])).toBe('zh-CN');
    expect(bestMatch(['en-AU'], ['en-US', 'en-AU', 'en'])).toBe('en-AU');
  });

  it('gives the available tag as it is written there', () => {
    expect(bestMatch(['pt-BR'], ['PT-br'])).toBe('PT-br');
  });

  it('is null when nothing matches', () => {
    expect(bestMatch(['de'], ['en', 'ja'])).toBeNull();
    expect(bestMatch([], ['en'])).toBeNull();
    expect(bestMatch(['en'], [])).toBeNull();
  });

  it('passes over malformed tags on either side', () => {
    expect(bestMatch(['_', 'en'], ['default', 'english!', 'en'])).toBe('en');
    expect(bestMatch(['constructor'], ['constructor_'])).toBeNull();
  });
});
