import type { DataSource } from 'typeorm';
import { HousekeepingSteps } from '../../src/housekeeping/housekeeping-steps.js';
import { SearchPart } from '../../src/users/search-part.entity.js';
import { User } from '../../src/users/user.entity.js';
import { signedIn } from '../support/accounts.js';
import { firstAdministrator, type Caller } from '../support/administration.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { expectOk } from '../support/expectations.js';
import { addUser } from '../support/users.js';

let app: TestApp;
let admin: Caller;
beforeAll(async () => {
  app = await startTestApp();
  admin = await firstAdministrator(app);
});
afterAll(() => app.close());

async function search(name: string): Promise<{ ids: number[]; total: number }> {
  const answer = await admin.get(`/v1/user/search?${new URLSearchParams({ name, limit: '100' }).toString()}`);
  expectOk(answer);
  const { users, total } = answer.body as { users: { id: number }[]; total: number };
  expect(total).toBe(users.length);
  return { ids: users.map(({ id }) => id), total };
}
const idsFound = async (name: string) => (await search(name)).ids;

const mail = (address: string) => ({ loginType: 'mail' as const, mail: address });
const partsOf = (source: DataSource, userId: number) => source.manager.countBy(SearchPart, { userId });

describe('GET /v1/user/search for a part of', () => {
  it.each([
    ['王小明', '小明'],
    ['王小明二', '小明二'],
    ['𠮷野家の𠮷田', 'の𠮷'],
    ['Party 🎉🦊 Fox', '🎉🦊'],
    ['Tilda 👩‍👩‍👧 Family', '👩‍👧'],
    ['Hundred 99%off', '9%'],
    ['Under sna_ke', 'a_k'],
    ['Back sla\\sh', 'a\\s'],
    ["Maeve O'Brien", "o'b"],
    ['Anna  Blank', 'a  B'],
    ['ＡＢＣ Ｗｉｄｅ', 'c wide'],
    ['Ende Straße', 'RAß'],
    ['Ο Σίσυφος', 'ΥΦΟΣ'],
    ['Ana Peña'.normalize('NFD'), 'EÑA'],
  ])('the name %s: %s', async (name, text) => {
    const id = await addUser(app, { name });
    expect(await idsFound(text)).toEqual([id]);
  });

  it.each(['iddle-han', 'DDLE-H', 'handle99', 'e-handle9', 'e99'])('the handle: %s', async (text) => {
    const id = await addUser(app, { handle: 'the-middle-handle99' });
    expect(await idsFound(text)).toEqual([id]);
    await app.dataSource.manager.delete(User, { id });
  });

  it.each(['@parts.example', 'parts.ex', 'PARTS', 'ann.middle@parts', '.middle@'])(
    'the mail: %s',
    async (text) => {
      const own = await addUser(app, { identities: [mail(`ann.middle@parts.example`)] });
      expect(await idsFound(text)).toEqual([own]);
      const other = await addUser(app, { identities: [mail('ben@others.example')] });
      expect(await idsFound(text)).not.toContain(other);
      await app.dataSource.manager.delete(User, { id: own });
      await app.dataSource.manager.delete(User, { id: other });
    },
  );
});

describe('GET /v1/user/search', () => {
  it('takes wildcards literally', async () => {
    await addUser(app, { name: 'wild card' });
    for (const text of ['w%d', 'wi_d', '%%', '__', 'd*c', 'ild%']) expect(await idsFound(text)).toEqual([]);
  });

  it('distinguishes accents and blanks, which some collations do not', async () => {
    const id = await addUser(app, { name: 'un café ' });
    expect(await idsFound('n café')).toEqual([id]);
    expect(await idsFound('n cafe')).toEqual([]);
    expect(await idsFound('né café')).toEqual([]);
  });

  it('finds a single character too', async () => {
    const begins = await addUser(app, { name: '柳公子' });
    const ends = await addUser(app, { name: '花柳' });
    expect(await idsFound('柳')).toEqual([ends, begins]);
  });

  it('finds nothing of two fields taken together', async () => {
    await addUser(app, { name: 'zzq', handle: 'qzz' });
    expect(await idsFound('zzqqzz')).toEqual([]);
    expect(await idsFound('qq')).toEqual([]);
  });

  it('sorts by what follows, and shows each account once', async () => {
    const identities = [
      mail('x.pluck@a.example'),
      { loginType: 'google' as const, mail: 'y.pluck@b.example' },
    ];
    const within = await addUser(app, { name: 'A pluck', handle: 'the-pluck', identities });
    const later = await addUser(app, { handle: 'a-pluck' });
    const byMail = await addUser(app, { identities: [mail('pluck@a.example')] });
    const byName = await addUser(app, { name: 'Pluck' });
    expect(await idsFound('pluck')).toEqual([within, later, byName, byMail]);
  });

  it('finds a part of a text that has the same part twice', async () => {
    const id = await addUser(app, { name: 'nanananana', identities: [mail('mimimi@mimi.example')] });
    expect(await idsFound('ananan')).toEqual([id]);
    expect(await idsFound('imi@mi')).toEqual([id]);
    expect(await idsFound('ananananan')).toEqual([]);
  });

  it('is as long as a mail may be', async () => {
    const long = `${'l'.repeat(64)}@${'d'.repeat(63)}.${'e'.repeat(63)}.${'f'.repeat(51)}.example`;
    const id = await addUser(app, { identities: [mail(long)] });
    expect(await idsFound(long.slice(1))).toEqual([id]);
    expect(await idsFound(`${long.slice(2)}x`)).toEqual([]);
  });
});

describe('an account that changes', () => {
  it('is found by its new name and handle only, and not once it is deleted', async () => {
    const { account, token } = await signedIn(app, { name: 'The former label' });
    const [id] = await idsFound('former lab');
    expect(await idsFound(account.mail.slice(2))).toEqual([id]);
    const renamed = { name: 'The latter label', user_id: 'a-latter-handle' };
    expectOk(await app.client.put('/v1/user/info', renamed, { token }));
    expect(await idsFound('former lab')).toEqual([]);
    expect(await idsFound('atter lab')).toEqual([id]);
    expect(await idsFound('tter-han')).toEqual([id]);
    expect(await idsFound(account.mail.slice(2))).toEqual([id]);
    expectOk(await app.client.post('/v1/user/delete', undefined, { token }));
    expect(await idsFound('atter lab')).toEqual([]);
    expect(await partsOf(app.dataSource, id!)).toBe(0);
  });

  it('keeps no parts of former names', async () => {
    const { token } = await signedIn(app, { name: 'Ever Changing' });
    const [id] = await idsFound('ver changing');
    for (const name of ['一二三四五', '六七八九十', 'Ever Changing'])
      expectOk(await app.client.put('/v1/user/info', { name }, { token }));
    const before = await partsOf(app.dataSource, id!);
    for (const name of ['甲乙丙丁', 'Ever Changing'])
      expectOk(await app.client.put('/v1/user/info', { name }, { token }));
    expect(await partsOf(app.dataSource, id!)).toBe(before);
  });

  it('is found by what is stored after concurrent changes', async () => {
    const { token } = await signedIn(app, { name: 'Race zero' });
    const [id] = await idsFound('ace zero');
    const words = ['uvw', 'vwx', 'wxy', 'xyz', 'yzu', 'zuv'];
    const changes = words.flatMap((word) => [{ name: `Race ${word}` }, { user_id: `race-${word}-handle` }]);
    for (const answer of await Promise.all(
      changes.map((change) => app.client.put('/v1/user/info', change, { token })),
    ))
      expectOk(answer);
    const { name, user_id: handle } = (await app.client.get('/v1/user/info', { token })).body as {
      name: string;
      user_id: string;
    };
    expect(await idsFound(name.slice(1))).toEqual([id]);
    expect(await idsFound(handle.slice(1))).toEqual([id]);
    for (const word of words) {
      const isFound = name.endsWith(word);
      expect((await idsFound(`ace ${word}`)).includes(id!)).toBe(isFound);
    }
  });
});

describe('an account that an earlier version has stored', () => {
  const repair = async () => {
    const step = app.app.get(HousekeepingSteps).shared.find(({ name }) => name === 'search index')!;
    await step.run(new AbortController().signal);
  };

  it('is found after housekeeping', async () => {
    const id = await addUser(app, { name: '旧版本', identities: [mail('old.version@earlier.example')] });
    await app.dataSource.manager.delete(SearchPart, { userId: id });
    expect(await idsFound('版本')).toEqual([]);
    await repair();
    expect(await idsFound('版本')).toEqual([id]);
    expect(await idsFound('@earlier')).toEqual([id]);
  });

  it('is found by a name and mail that it has changed', async () => {
    const id = await addUser(app, { name: 'Initial', identities: [mail('initial@earlier2.example')] });
    await app.dataSource.query("UPDATE users SET name_key = 'now changed' WHERE id = ?", [id]);
    await app.dataSource.query("UPDATE identities SET mail_key = 'now@changed.example' WHERE user_id = ?", [
      id,
    ]);
    await repair();
    expect(await idsFound('nitial')).toEqual([]);
    expect(await idsFound('w changed')).toEqual([id]);
    expect(await idsFound('@changed')).toEqual([id]);
  });
});
