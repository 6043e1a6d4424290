import { User } from '../../src/users/user.entity.js';
import { expectSearchIndexIsExact } from '../support/search-index.js';
import { addAccount, registration, signedIn } from '../support/accounts.js';
import { addApplication, giveRole } from '../support/applications.js';
import { nextNumber } from '../support/client.js';
import { freezeClock, passSeconds } from '../support/clock.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { app, idOf, info, shop, update, useProfiles } from '../support/profiles.js';

useProfiles();

describe('GET /v1/user/info', () => {
  it('returns the complete account, and nothing more', async () => {
    freezeClock();
    const now = Math.floor(Date.now() / 1000);
    const { account, token } = await signedIn(app, {
      mail: `Mixed.Case${nextNumber()}@Example.com`.replace('E', 'e'),
    });
    expectOk(await info(token), {
      sub: idOf(token),
      user_id: account.user_id,
      user_id_updated: true,
      name: account.name,
      avatar: '',
      mail: account.mail,
      role: 'user',
      app_id: 'pluto',
      verified: true,
      created_at: now,
      updated_at: now,
      is_password_set: true,
      bindings: [{ login_type: 'mail', mail: account.mail }],
    });
  });

  it("returns the role in the token's application, or an empty one", async () => {
    const bare = await addApplication(app, { name: 'org.example.bare' });
    const inShop = await signedIn(app, { app_id: shop.name });
    const inBare = await signedIn(app, { app_id: bare.name });
    expect((await info(inShop.token)).body).toMatchObject({ role: 'customer', app_id: shop.name });
    expect((await info(inBare.token)).body).toMatchObject({ role: '', app_id: bare.name });
    await giveRole(app, idOf(inShop.token), shop, 'guest');
    expect((await info(inShop.token)).body.role).toBe('guest');
  });

  it('refuses a request without a token with 1003', async () => {
    expectFailure(await app.client.get('/v1/user/info'), 401, 1003);
  });
});

describe('PUT /v1/user/info', () => {
  it('changes one field and keeps the others', async () => {
    freezeClock();
    const { account, token } = await signedIn(app);
    const before = (await info(token)).body as Record<string, unknown>;
    passSeconds(5);
    const now = Math.floor(Date.now() / 1000);
    expectOk(await update(token, { name: '  Ann 王  ' }), {});
    const named = { ...before, name: 'Ann 王', updated_at: now };
    expectOk(await info(token), named);

    expectOk(await update(token, { avatar: 'https://example.com/ann.png', name: null }), {});
    const pictured = { ...named, avatar: 'https://example.com/ann.png' };
    expectOk(await info(token), pictured);

    const user_id = `${account.user_id}_new`;
    expectOk(await update(token, { user_id, name: undefined, avatar: null }), {});
    expectOk(await info(token), { ...pictured, user_id, user_id_updated: true });
  });

  it('changes all fields together, and ignores unknown ones', async () => {
    const { account, token } = await signedIn(app);
    const change = { name: 'All', avatar: 'http://example.com/a', user_id: `all${nextNumber()}` };
    expectOk(await update(token, { ...change, mail: 'x@example.com', role: 'admin', verified: false }), {});
    expect((await info(token)).body).toMatchObject({
      ...change,
      mail: account.mail,
      role: 'user',
      verified: true,
    });
  });

  it.each([[{}], [{ name: null }], [{ name: null, avatar: null, user_id: null }], [{ nickname: 'Ann' }]])(
    'refuses a change of nothing with 1001 and names the fields: %j',
    async (change) => {
      const { token } = await signedIn(app);
      const answer = await update(token, change);
      expectFailure(answer, 400, 1001, expect.stringMatching(/name.*avatar.*user_id/));
    },
  );

  const notTexts = [1, 0, true, false, [], ['a'], {}, { $set: 1 }, 'lone \ud800'];
  it.each([
    ['name', ['', '   ', 'n'.repeat(61), 'two\nlines', 'nul\0', ...notTexts]],
    ['user_id', ['', 'a b', 'a@b', 'é', 'a'.repeat(101), 'a\na', ...notTexts]],
    ['avatar', notTexts],
  ])('refuses a wrong %s with 1001 and changes nothing', async (field, values) => {
    const { token } = await signedIn(app);
    const before = await info(token);
    for (const value of values) {
      const valid = { name: 'Valid', user_id: `valid${nextNumber()}`, avatar: '' };
      const answer = await update(token, { ...valid, [field]: value });
      expectFailure(answer, 400, 1001, expect.stringMatching(`^Bad Request: ${field} must be`));
    }
    expect((await info(token)).json).toEqual(before.json);
  });

  it('names every invalid field in one message', async () => {
    const { token } = await signedIn(app);
    const answer = await update(token, { name: '', user_id: 'a b', avatar: 5 });
    expectFailure(answer, 400, 1001);
    for (const field of ['name', 'user_id', 'avatar'])
      expect(answer.json.error.message).toContain(`${field} must be`);
  });

  describe('user_id', () => {
    it('that another account of the application has is refused with 2006, without regard to case', async () => {
      const taken = await addAccount(app);
      const pending = registration();
      await app.client.post('/v1/user/register', pending);
      const { token } = await signedIn(app);
      const before = await info(token);
      for (const user_id of [taken.user_id, taken.user_id.toUpperCase(), pending.user_id]) {
        expectFailure(await update(token, { user_id, name: 'Not me' }), 403, 2006);
      }
      expect((await info(token)).json).toEqual(before.json);
    });

    it('that an account of another application has is free', async () => {
      const there = await addAccount(app, { app_id: shop.name });
      const { token } = await signedIn(app);
      expectOk(await update(token, { user_id: there.user_id }), {});
    });

    it('may change its own case', async () => {
      const { account, token } = await signedIn(app);
      const user_id = account.user_id.toUpperCase();
      expectOk(await update(token, { user_id }), {});
      expect((await info(token)).body).toMatchObject({ user_id, user_id_updated: true });
    });

    it('is chosen, too, if its owner keeps the one that Pluto made up', async () => {
      const { account, token } = await signedIn(app);
      await app.dataSource.manager.update(User, { id: idOf(token) }, { isHandleUpdated: false });
      expectOk(await update(token, { name: 'Same' }), {});
      expect((await info(token)).body).toMatchObject({ user_id_updated: false, name: 'Same' });
      expectOk(await update(token, { user_id: account.user_id }), {});
      expect((await info(token)).body).toMatchObject({ user_id: account.user_id, user_id_updated: true });
    });

    it('signs in from then on, and frees the old one', async () => {
      const { account, token } = await signedIn(app);
      const user_id = `renamed${nextNumber()}`;
      expectOk(await update(token, { user_id }), {});
      const attempt = (name: string) =>
        app.client.post('/v1/user/login/account', { ...account, account: name });
      expectOk(await attempt(user_id));
      expectFailure(await attempt(account.user_id), 403, 3001);
      expectOk(await app.client.post('/v1/user/register', registration({ user_id: account.user_id })));
    });

    it('goes to exactly one of several concurrent requests', async () => {
      const users = await Promise.all(Array.from({ length: 5 }, () => signedIn(app)));
      const user_id = `wanted${nextNumber()}`;
      const answers = await Promise.all(users.map(({ token }) => update(token, { user_id })));
      expect(answers.map(({ code }) => code).sort()).toEqual([0, 2006, 2006, 2006, 2006]);
    });
  });

  it('refuses a request without a token with 1003', async () => {
    expectFailure(await app.client.put('/v1/user/info', { name: 'Ann' }), 401, 1003);
  });
});

it('leaves the search index exact', () => expectSearchIndexIsExact(app));
