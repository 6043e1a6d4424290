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

  it('accepts 100 ids, and refuses more with 1001', async () => {
    const query = (count: number) =>
      `?${Array.from({ length: count }, (_, index) => `ids=${1_000_000 + index}`).join('&')}`;
    expectOk(await publicInfo(query(100)), {});
    expectFailure(await publicInfo(query(101)), 400, 1001, expect.stringMatching(/ids/));
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
    '1,2',
    '1 OR 1=1',
    'null',
  ])('refuses the id %j with 1001 and names ids', async (id) => {
    const answer = await publicInfo(`?ids=1&ids=${encodeURIComponent(id)}`);
    expectFailure(answer, 400, 1001, expect.stringMatching(/^Bad Request: ids/));
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
