import { effectiveScopes, parseScopes, type RoleScopes } from '../../src/rbac/effective-scopes.js';

const editor: RoleScopes = {
  roleId: 1,
  roleName: 'editor',
  scopes: ['read', 'write', 'publish'],
  defaultScope: 'read',
};
const withoutDefault: RoleScopes = { ...editor, defaultScope: null };
const withStrayDefault: RoleScopes = { ...editor, defaultScope: 'admin' };
const empty: RoleScopes = { ...editor, scopes: [], defaultScope: null };

describe('parseScopes', () => {
  it.each<[string, string | undefined, string[]]>([
    ['nothing', undefined, []],
    ['an empty text', '', []],
    ['blanks alone', ' \t\n ', []],
    ['commas alone', ',,,', []],
    ['one name', 'read', ['read']],
    ['spaces', 'read write', ['read', 'write']],
    ['commas', 'read,write', ['read', 'write']],
    ['commas and spaces together', ' read , write,  publish ,', ['read', 'write', 'publish']],
    ['tabs and line breaks', 'read\twrite\r\npublish', ['read', 'write', 'publish']],
    ['the wide space of Chinese and Japanese keyboards', 'read\u3000write', ['read', 'write']],
    ['names given twice, once', 'write read,write read', ['write', 'read']],
    ['names that differ in case, as two', 'read READ', ['read', 'READ']],
    ['dots, colons, slashes and pluses as parts of names', 'a.b c:d e/f g+h', ['a.b', 'c:d', 'e/f', 'g+h']],
    ['other separators as parts of names', 'a;b c|d', ['a;b', 'c|d']],
    ['names of built-in properties', '__proto__ constructor', ['__proto__', 'constructor']],
  ])('reads %s', (_case, text, names) => {
    expect(parseScopes(text)).toEqual(names);
  });

  it('reads a long text in a time that grows with its length only', () => {
    const names = Array.from({ length: 20_000 }, (_, number) => `scope${number}`);
    expect(parseScopes(names.join(', '))).toHaveLength(names.length);
    expect(parseScopes(' '.repeat(100_000))).toEqual([]);
  });
});

describe('effectiveScopes', () => {
  it.each<[string, string, RoleScopes | null, string[]]>([
    ['one scope of the role', 'write', editor, ['write']],
    [
      'all scopes of the role, in the order asked for',
      'publish write read',
      editor,
      ['publish', 'write', 'read'],
    ],
    ['some the role has and some it lacks', 'delete write admin', editor, ['write']],
    ['the same scope twice', 'write,write', editor, ['write']],
    ['nothing', '', editor, ['read']],
    ['what the role lacks', 'delete admin', editor, ['read']],
    ['a scope in another case', 'WRITE', editor, ['read']],
    ['a part of a name', 'wri', editor, ['read']],
    ['nothing of a role without default', '', withoutDefault, []],
    ['what a role without default lacks', 'admin', withoutDefault, []],
    ['a scope of a role without default', 'write', withoutDefault, ['write']],
    ['nothing of a role whose default it does not have', '', withStrayDefault, []],
    ['just that default', 'admin', withStrayDefault, []],
    ['something of a role without scopes', 'read', empty, []],
    ['nothing of a role without scopes', '', empty, []],
    ['something without a role', 'read', null, []],
    ['nothing without a role', '', null, []],
    ['names of built-in properties', '__proto__ constructor toString', editor, ['read']],
  ])('grants to who asks for %s', (_case, requested, role, granted) => {
    expect(effectiveScopes(parseScopes(requested), role)).toEqual(granted);
  });

  it.each<[string, string, RoleScopes | null, string[], string[]]>([
    ['what is under it', 'write', editor, ['read', 'write'], ['write']],
    ['not what is above it, but the default', 'publish', editor, ['read', 'write'], ['read']],
    ['only the part under it', 'publish write', editor, ['read', 'write'], ['write']],
    ['nothing when the default is above it', 'publish', editor, ['write'], []],
    ['nothing when nothing is asked for and the default is above it', '', editor, ['write'], []],
    ['the default when nothing is asked for and it is under it', '', editor, ['read'], ['read']],
    ['nothing that the role has lost', 'admin', editor, ['admin'], []],
    ['nothing by a default that the role does not have', '', withStrayDefault, ['admin'], []],
    ['nothing under an empty one', 'read', editor, [], []],
    ['nothing under an empty one, by default neither', '', editor, [], []],
    ['nothing without a role', 'read', null, ['read'], []],
    ['nothing that differs from it in case', 'write', editor, ['WRITE'], []],
  ])('with the ceiling of an OAuth client grants %s', (_case, requested, role, ceiling, granted) => {
    expect(effectiveScopes(parseScopes(requested), role, ceiling)).toEqual(granted);
  });

  it('never exceeds role or ceiling, whatever is asked for', () => {
    const names = ['read', 'write', 'publish', 'admin'];
    const subsets = Array.from({ length: 2 ** names.length }, (_, bits) =>
      names.filter((_name, place) => bits & (1 << place)),
    );
    const defaults = [null, ...names];
    for (const requested of subsets)
      for (const scopes of subsets)
        for (const ceiling of [undefined, ...subsets])
          for (const defaultScope of defaults) {
            const granted = effectiveScopes(requested, { ...editor, scopes, defaultScope }, ceiling);
            const allowed = scopes.filter((name) => ceiling?.includes(name) ?? true);
            const isWithin = granted.every((name) => allowed.includes(name));
            const isAsked = granted.every((name) => requested.includes(name) || name === defaultScope);
            if (!isWithin || !isAsked)
              throw new Error(JSON.stringify({ requested, scopes, ceiling, defaultScope, granted }));
          }
  });

  it('leaves what it was given as it was', () => {
    const requested = Object.freeze(['write', 'admin']) as string[];
    const role = Object.freeze({ ...editor, scopes: Object.freeze([...editor.scopes]) as string[] });
    const ceiling = Object.freeze(['write']) as string[];
    const granted = effectiveScopes(requested, role, ceiling);
    granted.push('more');
    expect(requested).toEqual(['write', 'admin']);
    expect(effectiveScopes([], role)).toEqual(['read']);
  });
});
