import { type PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { CACHED_FROM, CACHED_MS } from '../../src/users/count-cache.js';
import { Identity } from '../../src/users/identity.entity.js';
import { User } from '../../src/users/user.entity.js';
import { firstAdministrator, type Caller } from '../support/administration.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { expectOk } from '../support/expectations.js';
import { addUser, addUsers } from '../support/users.js';

let app: TestApp;
let admin: Caller;
beforeAll(async () => {
  app = await startTestApp();
  admin = await firstAdministrator(app);
  await addUsers(app, CACHED_FROM, (number) => ({ name: `Crowd ${number}`, handle: `h${number}` }));
  for (const number of [1, 2, 3]) await addUser(app, { name: 'Other', handle: `crowd-${number}` });
});
afterAll(() => app.close());

const now = performance.now.bind(performance);
let passedMs = 0;
beforeEach(() => {
  jest.spyOn(performance, 'now').mockImplementation(() => now() + passedMs);
  passTheirTime();
});
afterEach(() => jest.restoreAllMocks());

/** Lets all cached values expire. */
function passTheirTime(): void {
  passedMs += CACHED_MS + 1;
}

async function search(name: string, limit = 1, offset = 0): Promise<{ total: number; names: string[] }> {
  const page = new URLSearchParams({ name, limit: String(limit), offset: String(offset) });
  const answer = await admin.get(`/v1/user/search?${page.toString()}`);
  expectOk(answer);
  const { total, users } = answer.body as { total: number; users: { name: string }[] };
  return { total, names: users.map((user) => user.name) };
}

const totalOf = async (name: string) => (await search(name)).total;

async function summarizedTotals(): Promise<{ total: number; ofPluto: number; new24h: number }> {
  const answer = await admin.get('/v1/user/summary');
  expectOk(answer);
  const { total, new_24h, applications } = answer.body as {
    total: number;
    new_24h: number;
    applications: { total: number }[];
  };
  return { total, ofPluto: applications[0]!.total, new24h: new_24h };
}

async function removeUser(id: number): Promise<void> {
  await app.dataSource.manager.delete(Identity, { userId: id });
  await app.dataSource.manager.delete(User, { id });
}

/** The number of counting statements while something runs. */
async function countsDuring(work: () => Promise<unknown>): Promise<number> {
  const read = jest.spyOn(app.dataSource as PlutoDataSource, 'read');
  await work();
  const counts = read.mock.calls.filter(([sql]) => sql.includes('COUNT(')).length;
  read.mockRestore();
  return counts;
}

describe('GET /v1/user/search, where 10,000 accounts or more match', () => {
  // Matches by name, and three more by handle.
  const TOTAL = CACHED_FROM + 3;

  it('reflects a created or deleted account within ten seconds', async () => {
    expect(await totalOf('crowd')).toBe(TOTAL);
    const id = await addUser(app, { name: 'Crowd member' });
    expect(await totalOf('crowd')).toBe(TOTAL);
    passTheirTime();
    expect(await totalOf('crowd')).toBe(TOTAL + 1);
    await removeUser(id);
    expect(await totalOf('crowd')).toBe(TOTAL + 1);
    passTheirTime();
    expect(await totalOf('crowd')).toBe(TOTAL);
  });

  it('shows each page as it is now', async () => {
    expect((await search('crowd')).names).toEqual(['Crowd 0']);
    const id = await addUser(app, { name: 'Crowd' });
    expect((await search('crowd')).names).toEqual(['Crowd']);
    await removeUser(id);
    expect((await search('crowd')).names).toEqual(['Crowd 0']);
  });

  it('counts once for all pages, ignoring the case of the text', async () => {
    expect(await countsDuring(() => totalOf('crowd'))).toBeGreaterThan(0);
    const pages = async () => {
      for (const offset of [0, 20, CACHED_FROM, TOTAL]) await search(' CROWD ', 20, offset);
    };
    expect(await countsDuring(pages)).toBe(0);
  });

  it('counts once for concurrent requests', async () => {
    const one = await countsDuring(() => totalOf('crowd'));
    passTheirTime();
    const two = await countsDuring(async () => {
      expect(await Promise.all([totalOf('crowd'), totalOf('crowd')])).toEqual([TOTAL, TOTAL]);
    });
    expect(two).toBe(one);
  });

  it('does not confuse texts', async () => {
    expect(await totalOf('crowd')).toBe(TOTAL);
    expect(await totalOf('crowd 1')).toBeLessThan(CACHED_FROM);
    expect(await totalOf('crow')).toBe(TOTAL);
    expect(await totalOf('crowds')).toBe(0);
  });

  it('does not exceed the total on its last page, and has nothing after it', async () => {
    const lastPage = () => search('crowd', 100, CACHED_FROM - 2);
    const names = ['Crowd 9998', 'Crowd 9999', 'Other', 'Other', 'Other'];
    expect(await lastPage()).toEqual({ total: TOTAL, names });
    const id = await addUser(app, { name: 'Crowd 99999' });
    expect(await lastPage()).toEqual({ total: TOTAL, names: names.toSpliced(2, 1, 'Crowd 99999') });
    expect(await search('crowd', 100, TOTAL)).toEqual({ total: TOTAL, names: [] });
    passTheirTime();
    expect(await search('crowd', 100, TOTAL)).toEqual({ total: TOTAL + 1, names: ['Other'] });
    await removeUser(id);
    expect(await search('crowd', 100, TOTAL)).toEqual({ total: TOTAL + 1, names: [] });
    expect(await search('crowd', 100, TOTAL + 1)).toEqual({ total: TOTAL + 1, names: [] });
  });
});

describe('GET /v1/user/search, where fewer match', () => {
  it('counts each time', async () => {
    for (const text of ['crowd 1', 'crowd 77', 'other', 'nobody']) {
      const total = await totalOf(text);
      const id = await addUser(app, { name: `${text}x` });
      expect(await totalOf(text)).toBe(total + 1);
      await removeUser(id);
      expect(await totalOf(text)).toBe(total);
    }
  });
});

describe('GET /v1/user/summary', () => {
  it('of 10,000 accounts or more reflects a new one within ten seconds', async () => {
    const before = await summarizedTotals();
    expect(before.total).toBeGreaterThanOrEqual(CACHED_FROM);
    const id = await addUser(app, {});
    expect(await summarizedTotals()).toEqual(before);
    passTheirTime();
    const { total, ofPluto, new24h } = before;
    expect(await summarizedTotals()).toEqual({ total: total + 1, ofPluto: ofPluto + 1, new24h: new24h + 1 });
    await removeUser(id);
  });

  it('of fewer counts each time', async () => {
    const { manager } = app.dataSource;
    await manager.createQueryBuilder().delete().from(Identity).where("mail_key LIKE 'h%'").execute();
    await manager.createQueryBuilder().delete().from(User).where("name_key LIKE 'crowd %'").execute();
    const before = await summarizedTotals();
    expect(before.total).toBeLessThan(CACHED_FROM);
    const id = await addUser(app, {});
    expect((await summarizedTotals()).total).toBe(before.total + 1);
    await removeUser(id);
    expect(await summarizedTotals()).toEqual(before);
  });
});
