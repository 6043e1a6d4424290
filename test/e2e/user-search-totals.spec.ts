import { type PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { firstAdministrator, type Caller } from '../support/administration.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { expectOk } from '../support/expectations.js';
import { addUser } from '../support/users.js';

/** More accounts than are looked up one by one. */
const COUNT = 640;

interface Sample {
  name: string;
  handle: string;
  mails: string[];
}

/** Every combination of a name, a handle and up to two mails with a common prefix. */
function sampleOf(number: number): Sample {
  const is = (place: number) => Math.floor(number / 2 ** place) % 2 === 1;
  return {
    name: is(0) ? `Manifold ${number}` : `Other ${number}`,
    handle: is(1) ? `manifold${number}` : `other${number}`,
    mails: [
      `${is(2) && is(3) ? 'other' : 'mani'}${number}@example.org`,
      `${is(4) ? 'manifold' : 'other'}${number}@two.example`,
    ],
  };
}

// A test for one dialect is not defined on the other, rather than skipped.
const onSqlite = process.env.TEST_DATABASE_URL ? (): void => undefined : it;
const samples = Array.from({ length: COUNT }, (_, number) => sampleOf(number));

let app: TestApp;
let admin: Caller;
beforeAll(async () => {
  app = await startTestApp();
  admin = await firstAdministrator(app);
  for (const { name, handle, mails } of samples) {
    const [mail = '', second = ''] = mails;
    await addUser(app, {
      name,
      handle,
      identities: [
        { loginType: 'mail', mail },
        { loginType: 'google', mail: second },
      ],
    });
  }
});
afterAll(() => app.close());
afterEach(() => jest.restoreAllMocks());

/** Matches of the text, found by a plain scan. */
function countOf(text: string): number {
  return samples.filter(({ name, handle, mails }) =>
    [name.toLowerCase(), handle, ...mails].some((key) => key.includes(text)),
  ).length;
}

async function totalOf(name: string, offset = '0'): Promise<unknown> {
  const answer = await admin.get(`/v1/user/search?${new URLSearchParams({ name, offset }).toString()}`);
  expectOk(answer);
  return answer.body.total;
}

async function pagesOf(name: string): Promise<number[]> {
  const ids: number[] = [];
  for (let offset = 0; ; offset += 100) {
    const page = new URLSearchParams({ name, limit: '100', offset: String(offset) });
    const { users } = (await admin.get(`/v1/user/search?${page.toString()}`)).body as {
      users: { id: number }[];
    };
    if (users.length === 0) return ids;
    ids.push(...users.map(({ id }) => id));
  }
}

describe('GET /v1/user/search with many matches', () => {
  it.each(['mani', 'manifold', 'fold', '@two', 'other', 'mani1', 'manifold 1', 'other639', 'nobody'])(
    'counts each account once: %s',
    async (text) => {
      expect(await totalOf(text)).toBe(countOf(text));
      expect(await totalOf(text, '300')).toBe(countOf(text));
    },
  );

  it.each(['mani', 'th'])('has each account on one page: %s', async (text) => {
    const ids = await pagesOf(text);
    expect(ids).toHaveLength(countOf(text));
    expect(new Set(ids).size).toBe(ids.length);
  });

  onSqlite('reads indexes alone to count', async () => {
    const read = jest.spyOn(app.dataSource as PlutoDataSource, 'read');
    await totalOf('mani');
    expectOk(await admin.get('/v1/user/summary'));
    const counts = read.mock.calls.filter(([sql]) => sql.includes('COUNT('));
    expect(counts).toHaveLength(2);
    for (const [sql, parameters] of counts) {
      const plan = await app.dataSource.query<{ detail: string }[]>(`EXPLAIN QUERY PLAN ${sql}`, parameters);
      const steps = plan.map(({ detail }) => detail).filter((detail) => /^(SCAN|SEARCH) [a-z]/.test(detail));
      expect(steps.length).toBeGreaterThan(0);
      for (const step of steps) expect(step).toMatch(/USING (COVERING INDEX|PRIMARY KEY)/);
    }
  });
});
