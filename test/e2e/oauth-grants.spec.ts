import { Session } from '../../src/token/session.entity.js';
import { login, registration, type TestAccount, type Tokens } from '../support/accounts.js';
import { addApplication, giveRole } from '../support/applications.js';
import { nextNumber } from '../support/client.js';
import { freezeClock, passSeconds, setClock } from '../support/clock.js';
import { countByCode, expectFailure, expectOk } from '../support/expectations.js';
import { addClient } from '../support/oauth.js';
import { decodeToken } from '../support/tokens.js';
import {
  ann,
  app,
  ask,
  browser,
  claimsOf,
  client,
  erase,
  get,
  info,
  newcomer,
  other,
  ownOf,
  passwordOf,
  refreshOf,
  resetPassword,
  ROLES,
  scopesOf,
  shop,
  useOAuth,
} from '../support/oauth-shop.js';

useOAuth();

const GRACE_SECONDS = 30;

describe('grant_type=password', () => {
  it.each([
    ['mail', (account: TestAccount) => account.mail],
    ['handle', (account: TestAccount) => account.user_id.toUpperCase()],
  ])('signs a user in by %s', async (_what, user) => {
    const tokens = await get(passwordOf(ann, { user: user(ann), device_id: 'phone-2' }));
    const { client_id, sid } = claimsOf(tokens);
    expect(client_id).toBe(client.key);
    expectOk(await info(tokens.access_token), expect.objectContaining({ mail: ann.mail }));
    const session = await app.dataSource.manager.findOneByOrFail(Session, { id: sid });
    expect(session).toMatchObject({ clientKey: client.key, deviceId: 'phone-2' });
  });

  it.each([
    ['a wrong password', 3001, () => ({ password: 'not the password' })],
    ['an unknown user', 3001, () => ({ user: 'nobody' })],
    ["an application that is not the user's", 3001, () => ({ app_id: 'pluto' })],
    ['an unknown application', 4005, () => ({ app_id: 'org.example.unknown' })],
  ])('refuses %s with %d', async (_what, code, change) => {
    expectFailure(await ask(passwordOf(ann, change())), 403, code);
  });

  it('refuses an unverified mail with 2003, only for the right password', async () => {
    const account = registration({ app_id: shop.name });
    expectOk(await app.client.post('/v1/user/register', account));
    expectFailure(await ask(passwordOf(account)), 403, 2003);
    expectFailure(await ask(passwordOf(account, { password: 'not the password' })), 403, 3001);
  });

  it.each([
    [{}, ['shop.buy']],
    [{ scopes: 'shop.rate,shop.look pluto.admin' }, ['shop.rate', 'shop.look']],
    [{ scope: 'shop.look' }, ['shop.look']],
    [{ scopes: 'pluto.admin' }, ['shop.buy']],
  ])('asked with %j grants %j, and no refresh more', async (change, scopes) => {
    const tokens = await get(passwordOf(ann, change));
    expect(scopesOf(tokens)).toEqual(scopes);
    const next = await get(refreshOf(tokens, { scopes: ROLES.customer.join(' ') }));
    expect(scopesOf(next).sort()).toEqual([...scopes].sort());
  });
});

describe('grant_type=client_credentials', () => {
  it('returns a token without user and without refresh token', async () => {
    const answer = await ask(ownOf('pluto', { scopes: 'pluto.admin pluto.user' }));
    expectOk(answer, {
      access_token: expect.any(String),
      access_token_expire_at: expect.any(Number),
      refresh_token: '',
      refresh_token_expire_at: expect.any(Number),
      type: 'Bearer',
    });
    const { access_token } = answer.body as Tokens;
    const { claims } = decodeToken(access_token);
    expect(claims).toMatchObject({ sub: 0, iss: 'pluto', client_id: client.key, scopes: ['pluto.user'] });
    expectOk(await app.client.get(`/v1/token/access/verify?token=${access_token}`), claims);
    expectOk(await app.client.post('/v1/token/access/verify', { token: access_token }), claims);
  });

  it.each([
    [undefined, ['shop.buy']],
    ['shop.look', ['shop.look']],
    ['pluto.admin', ['shop.buy']],
  ])('asked for %j grants %j of the default role', async (scopes, granted) => {
    expect(scopesOf(await get(ownOf(shop.name, { scopes })))).toEqual(granted);
  });

  it('grants nothing without a default role', async () => {
    const { name } = await addApplication(app, { name: `org.example.x${nextNumber()}` });
    const its = await addClient(app, { applications: [name] });
    expect(scopesOf(await get(ownOf(name, { scopes: 'pluto.admin' }), its))).toEqual([]);
  });

  it('refuses an unknown application with 4005', async () => {
    expectFailure(await ask(ownOf('org.example.unknown')), 403, 4005);
  });

  it.each([
    'GET /v1/user/info',
    'PUT /v1/user/info',
    'POST /v1/user/delete',
    'POST /v1/user/binding',
    'POST /v1/user/unbinding',
    'GET /v1/user/search?name=a',
    'GET /v1/user/summary',
    'POST /v1/rbac/application/create',
    'POST /v1/rbac/user/application/role',
    'GET /v1/oauth/client',
    'POST /v1/oauth/client',
    'PUT /v1/oauth/client/status',
  ])('gives nothing that %s takes: 4009', async (route) => {
    const [method = '', path = ''] = route.split(' ');
    const { access_token: token } = await get(ownOf('pluto'));
    const options = method === 'GET' ? { token } : { token, body: { name: 'x' } };
    expectFailure(await app.client.request(method, path, options), 403, 4009);
  });
});

describe('grant_type=refresh_token', () => {
  const scopes = 'shop.buy shop.look';

  it('returns the successor, again and again until it is used', async () => {
    freezeClock();
    const first = await browser.tokensFor(app, client, { scopes });
    passSeconds(60);
    const second = await get(refreshOf(first));
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect(claimsOf(second)).toEqual({
      ...claimsOf(first),
      iat: claimsOf(first).iat + 60,
      exp: claimsOf(first).exp + 60,
    });
    expect((await get(refreshOf(first))).refresh_token).toBe(second.refresh_token);
    expectOk(await info(second.access_token));
    const third = await get(refreshOf(second));
    passSeconds(GRACE_SECONDS + 31);
    expectFailure(await ask(refreshOf(first)), 403, 3002);
    expectFailure(await ask(refreshOf(third)), 403, 3002);
    expectFailure(await info(third.access_token), 403, 3009);
  });

  it('lets 20 concurrent requests converge on one successor', async () => {
    const tokens = await browser.tokensFor(app, client);
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(refreshOf(tokens))));
    expect(countByCode(answers)).toEqual({ 0: 20 });
    expect(new Set(answers.map(({ body }) => body.refresh_token as string)).size).toBe(1);
  });

  it('is only for the client that got the token', async () => {
    const tokens = await browser.tokensFor(app, client);
    const { refresh_token } = tokens;
    const firstParty = await login(app, ann);
    const refresh = (token: string) =>
      app.client.post('/v1/token/refresh', { refresh_token: token, app_id: shop.name });
    expectFailure(await ask(refreshOf(tokens), other), 403, 3002);
    expectFailure(await refresh(refresh_token), 403, 3002);
    expectFailure(await ask(refreshOf(firstParty)), 403, 3002);
    await get(refreshOf(tokens));
    expectOk(await refresh(firstParty.refresh_token));
  });

  it('narrows scopes and widens them again, to no more than was granted', async () => {
    let tokens = await browser.tokensFor(app, client, { scopes });
    const next = async (wanted?: string): Promise<string[]> => {
      tokens = await get(refreshOf(tokens, { scopes: wanted }));
      return scopesOf(tokens);
    };
    expect(await next('shop.look')).toEqual(['shop.look']);
    expect(await next()).toEqual(['shop.look']);
    expect(await next('shop.look shop.rate')).toEqual(['shop.look']);
    expect(await next('shop.rate')).toEqual(['shop.buy']);
    expect(await next('shop.rate shop.look,shop.buy')).toEqual(['shop.look', 'shop.buy']);
  });

  it('drops scopes that the role has lost, and adds none that was not granted', async () => {
    const { account, browser: bobs } = await newcomer();
    const tokens = await bobs.tokensFor(app, client, { scopes });
    const narrow = await bobs.tokensFor(app, client, { scopes: 'shop.buy' });
    const { sub } = decodeToken((await login(app, account)).access_token).claims;
    await giveRole(app, sub, shop, 'guest');
    expect(scopesOf(await get(refreshOf(tokens)))).toEqual(['shop.look']);
    expect(scopesOf(await get(refreshOf(narrow)))).toEqual([]);
    expect(scopesOf(await get(refreshOf(narrow, { scopes: 'shop.look' })))).toEqual([]);
  });

  it.each([
    ['another application', 3010, { app_id: 'pluto' }],
    ['an unknown application', 4005, { app_id: 'org.example.unknown' }],
    ['an invalid token', 3002, { refresh_token: 'junk' }],
  ])('refuses %s with %d, and uses nothing up', async (_what, code, change) => {
    const tokens = await browser.tokensFor(app, client);
    expectFailure(await ask(refreshOf(tokens, change)), 403, code);
    await get(refreshOf(tokens));
  });

  it('accepts a token until the second before it expires, then answers 3011', async () => {
    freezeClock();
    const [first, second] = [await browser.tokensFor(app, client), await browser.tokensFor(app, client)];
    setClock(first.refresh_token_expire_at - 1);
    await get(refreshOf(first));
    setClock(second.refresh_token_expire_at);
    expectFailure(await ask(refreshOf(second)), 403, 3011);
  });

  it('refuses the token of a deleted account with 3002', async () => {
    const { account, browser: bobs } = await newcomer();
    const tokens = await bobs.tokensFor(app, client);
    await erase(account);
    expectFailure(await ask(refreshOf(tokens)), 403, 3002);
    expectFailure(await info(tokens.access_token), 403, 3009);
  });

  it('refuses the token of an account whose password was reset with 3002', async () => {
    const { account, browser: bobs } = await newcomer();
    const tokens = await bobs.tokensFor(app, client);
    await resetPassword(account);
    expectFailure(await ask(refreshOf(tokens)), 403, 3002);
    expectFailure(await info(tokens.access_token), 403, 3009);
  });
});
