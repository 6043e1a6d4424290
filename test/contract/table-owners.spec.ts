import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { packageDirectory } from '../../src/common/package-directory.js';

const src = join(packageDirectory, 'src');
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => ({
    file: file.split(sep).join('/'),
    text: readFileSync(join(src, file), 'utf8'),
  }));

const moduleOf = (file: string) => file.split('/')[0]!;

/** Each table by the module of its entity. */
const owners = new Map(
  files.flatMap(({ file, text }) => {
    const table = /@Entity\('(\w+)'\)/.exec(text)?.[1];
    return table === undefined ? [] : [[table, moduleOf(file)] as const];
  }),
);

interface Use {
  file: string;
  table: string;
}

/** Where SQL texts name tables after one of the words. */
function usesAfter(words: string): Use[] {
  const named = new RegExp(`\\b(?:${words})\\s+(\\w+)`, 'g');
  return files.flatMap(({ file, text }) =>
    [...text.matchAll(named)].flatMap(([, table = '']) => (owners.has(table) ? [{ file, table }] : [])),
  );
}

const foreign = (uses: Use[]) =>
  [
    ...new Set(
      uses
        .filter(({ file, table }) => owners.get(table) !== moduleOf(file))
        .map((use) => `${use.file}: ${use.table}`),
    ),
  ].sort();

/**
 * What every request needs in one statement. A change of one of these tables has to look at these files as well; they
 * read, and lie with the module whose rows they find.
 */
const JOINS_ACROSS_OWNERS = [
  'rbac/user-grants.service.ts: applications',
  'token/refresh-tokens.service.ts: applications',
  'token/sessions.service.ts: applications',
  'users/profile.query.ts: applications',
  'users/profile.query.ts: roles',
  'users/profile.query.ts: user_roles',
];

describe('a table', () => {
  it('has an entity, and by it an owner', () => {
    expect(owners.size).toBeGreaterThan(20);
    expect(usesAfter('FROM').length).toBeGreaterThan(10);
  });

  it('is written by SQL of its owner only', () => {
    expect(foreign(usesAfter('UPDATE|INTO|DELETE FROM'))).toEqual([]);
  });

  it('is read by SQL of its owner, and by the joins that are named here', () => {
    expect(foreign(usesAfter('FROM|JOIN'))).toEqual(JOINS_ACROSS_OWNERS);
  });
});
