import { Identity } from '../../src/users/identity.entity.js';
import { SearchPart } from '../../src/users/search-part.entity.js';
import { User } from '../../src/users/user.entity.js';
import type { TestApp } from './app.js';

/** Whatever a spec did with accounts: each is indexed by every part of its texts, and by nothing else. */
export async function expectSearchIndexIsExact({ dataSource: { manager } }: TestApp): Promise<void> {
  const [users, identities, parts] = await Promise.all([
    manager.find(User),
    manager.find(Identity),
    manager.find(SearchPart),
  ]);
  expect(users.length).toBeGreaterThan(0);
  const texts = [
    ...users.flatMap(({ id, nameKey, handleKey }) => [nameKey, handleKey].map((text) => ({ id, text }))),
    ...identities.map(({ userId, mailKey }) => ({ id: userId, text: mailKey })),
  ];
  const expected = texts.flatMap(({ id, text }) => endsOf(text).map((part) => `${id} ${part}`));
  expect(parts.map(({ userId, part }) => `${userId} ${part}`).sort()).toEqual([...new Set(expected)].sort());
}

function endsOf(text: string): string[] {
  const characters = [...text];
  return characters.map((_, place) => characters.slice(place).join(''));
}
