import { commitFaults } from '../../scripts/commit-rules.mjs';

const WRONG_FORM = expect.stringContaining('the subject must be "type(scope): …"') as string;
const NOT_IMPERATIVE = 'the subject must begin with a verb in the imperative';
const TOO_LONG = 'the subject must have at most 60 characters';

describe('commitFaults', () => {
  it.each([
    ['a scope', 'feat(oauth): require PKCE for public clients'],
    ['no scope', 'docs: describe how tests share an application'],
    ['a breaking change', 'feat(token)!: drop the claim that nobody reads'],
    ['a body', 'fix(mail): retry after a 4xx\n\nThe server may be busy.\n\nSee RFC 5321 section 4.2.1.\n'],
    ['60 characters', `fix: ${'x'.repeat(55)}`],
    ['60 characters beyond the basic plane', `fix: ${'😀'.repeat(55)}`],
  ])('accepts %s', (_, message) => {
    expect(commitFaults(message)).toEqual([]);
  });

  it.each([
    ['no type', 'require PKCE for public clients'],
    ['an unknown type', 'feature(oauth): require PKCE'],
    ['an empty scope', 'feat(): require PKCE'],
    ['a scope in capitals', 'feat(OAuth): require PKCE'],
    ['no space after the colon', 'feat:require PKCE'],
    ['no summary', 'feat: '],
    ['nothing', ''],
  ])('refuses %s', (_, message) => {
    expect(commitFaults(message)).toEqual([WRONG_FORM]);
  });

  it.each([
    'adds',
    'added',
    'adding',
    'uses',
    'used',
    'using',
    'stopped',
    'stopping',
    'carries',
    'carried',
    'Fixes',
  ])('refuses the form "%s" of a verb', (word) => {
    expect(commitFaults(`fix: ${word} a check`)).toEqual([NOT_IMPERATIVE]);
  });

  it.each(['add', 'pass', 'address', 'process', 'speed', 'bring', 'string', 'need'])(
    'accepts "%s", which only looks like another form',
    (word) => {
      expect(commitFaults(`fix: ${word} a check`)).toEqual([]);
    },
  );

  it('refuses a subject of 61 characters', () => {
    expect(commitFaults(`fix: ${'x'.repeat(56)}`)).toEqual([TOO_LONG]);
  });

  it('refuses a period at the end of the subject', () => {
    expect(commitFaults('fix: end the session.')).toEqual(['the subject must not end with a period']);
  });

  it('refuses a second line that is not empty', () => {
    expect(commitFaults('fix: end the session\nof a denied client')).toEqual([
      'the second line must be empty',
    ]);
  });

  it('reports all faults of a message', () => {
    expect(commitFaults(`fix: added ${'x'.repeat(60)}.`)).toEqual([
      NOT_IMPERATIVE,
      TOO_LONG,
      'the subject must not end with a period',
    ]);
  });
});
