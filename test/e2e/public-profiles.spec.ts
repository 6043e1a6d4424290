import { addAccount, registration, signedIn } from '../support/accounts.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { app, idOf, shop, update, useProfiles } from '../support/profiles.js';

useProfiles();

describe('GET /v1/user/info/public', () => {
  const publicInfo = (query: string) => app.client.get(`/v1/user/info/public${query}`);

  it('returns id, name and avatar, keyed by id, and nothing more', async () => {
    const [ann, bob] = [await signedIn(app), await signedIn(app, { app_id: shop.name })];
    await update(ann.token, { avatar: 'https://example.com/ann.png' });
    const [annId, bobId] = [idOf(ann.token), idOf(bob.token)];
    expectOk(await publicInfo(`?ids=${annId}&ids=${bobId}`), {
      [annId]: { id: annId, name: ann.account.name, avatar: 'https://example.com/ann.png' },
      [bobId]: { id: bobId, name: bob.account.name, avatar: '' },
    });
  });

  it('accepts one id, and the same one several times', async () => {
    const { account, token } = await signedIn(app);
    const id = idOf(token);
    const expected = { [id]: { id, name: account.name, avatar: '' } };
    expectOk(await publicInfo(`?ids=${id}`), expected);
    expectOk(await publicInfo(`?${`ids=${id}&`.repeat(5)}`), expected);
  });

  it('omits unknown ids', async () => {
    const id = idOf((await signedIn(app)).token);
    const answer = await publicInfo(`?ids=2147483647&ids=${id}`);
    expect(Object.keys(answer.body as object)).toEqual([String(id)]);
    expectOk(await publicInfo('?ids=2147483647'), {});
  });

  it('answers {} without ids', async () => {
    expectOk(await publicInfo(''), {});
    expectOk(await publicInfo('?other=1'), {});
  });

  it.each<[string, (ids: number[]) => string]>([
    ['repeated', (ids) => ids.map((id) => `ids=${id}`).join('&')],
    ['separated by commas', (ids) => `ids=${ids.join(',')}`],
    ['with brackets', (ids) => ids.map((id) => `ids[]=${id}`).join('&')],
    ['with encoded brackets', (ids) => ids.map((id) => `ids%5B%5D=${id}`).join('&')],
  ])('accepts 1,000 ids %s, and refuses more with 1001', async (_how, write) => {
    const id = idOf((await signedIn(app)).token);
    const others = Array.from({ length: 1000 }, (_, index) => 2_000_000_000 + index);
    const answer = await publicInfo(`?${write([...others.slice(1), id])}`);
    expect([answer.status, Object.keys(answer.body as object)]).toEqual([200, [String(id)]]);
    expectFailure(await publicInfo(`?${write([...others, id])}`), 400, 1001, expect.stringMatching(/ids/));
  });

  it('accepts all spellings together, each id once', async () => {
    const ids = [idOf((await signedIn(app)).token), idOf((await signedIn(app)).token)];
    const answer = await publicInfo(
      `?ids=${ids[0]},${ids[1]}&ids=${ids[0]}&ids[]=${ids[1]}&ids[]=%20${ids[0]},`,
    );
    expect(Object.keys(answer.body as object).sort()).toEqual(ids.map(String).sort());
  });

  it.each([
    'abc',
    '',
    '0',
    '-1',
    '1.5',
    '1e3',
    '0x1',
    '2147483648',
    '99999999999',
    '00000000000000000000001',
    '1 OR 1=1',
    'null',
    '\0',
  ])('omits the id %j, which nobody can have', async (impossible) => {
    const id = idOf((await signedIn(app)).token);
    for (const name of ['ids', 'ids[]']) {
      const answer = await publicInfo(`?ids=${id}&${name}=${encodeURIComponent(impossible)}`);
      expect([answer.status, Object.keys(answer.body as object)]).toEqual([200, [String(id)]]);
      expectOk(await publicInfo(`?${name}=${encodeURIComponent(impossible)}`), {});
    }
  });
});

describe('GET /v1/user/info/{userId}/public', () => {
  const byHandle = (handle: string, query = '') => app.client.get(`/v1/user/info/${handle}/public${query}`);

  it('returns id, name and avatar, ignoring case', async () => {
    const { account, token } = await signedIn(app);
    const expected = { id: idOf(token), name: account.name, avatar: '' };
    expectOk(await byHandle(account.user_id), expected);
    expectOk(await byHandle(account.user_id.toUpperCase()), expected);
  });

  it('is narrowed by app_id; without it the oldest account is shown', async () => {
    const { user_id } = registration();
    const here = await signedIn(app, { user_id });
    const there = await signedIn(app, { user_id, app_id: shop.name });
    expect((await byHandle(user_id)).body.id).toBe(idOf(here.token));
    expect((await byHandle(user_id, '?app_id=pluto')).body.id).toBe(idOf(here.token));
    expect((await byHandle(user_id, `?app_id=${shop.name}`)).body.id).toBe(idOf(there.token));
  });

  it('refuses an unknown handle, or one unknown in that application, with 2005', async () => {
    const { user_id } = await addAccount(app);
    expectFailure(await byHandle('nobody'), 403, 2005);
    expectFailure(await byHandle(user_id, `?app_id=${shop.name}`), 403, 2005);
    for (const junk of ['a%20b', '%00', 'a%2Fb', '%F0%9F%99%82', 'a'.repeat(101), '..%2f']) {
      expectFailure(await byHandle(junk), 403, 2005);
    }
  });

  it('refuses an unknown application with 4005', async () => {
    const { user_id } = await addAccount(app);
    expectFailure(await byHandle(user_id, '?app_id=org.example.unknown'), 403, 4005);
  });

  it('refuses a wrong app_id with 1001', async () => {
    for (const query of ['?app_id=', '?app_id=a&app_id=b', `?app_id=${'a'.repeat(101)}`]) {
      expectFailure(
        await byHandle('ann', query),
        400,
        1001,
        expect.stringMatching(/^Bad Request: app_id must be/),
      );
    }
  });
});
