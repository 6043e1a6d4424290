import { PageSession } from '../../src/token/page-session.entity.js';
import { Session } from '../../src/token/session.entity.js';
import { login, type Tokens } from '../support/accounts.js';
import { addApplication, detachScope } from '../support/applications.js';
import { nextNumber } from '../support/client.js';
import { freezeClock, passSeconds } from '../support/clock.js';
import { countByCode, expectFailure, expectOk } from '../support/expectations.js';
import { addClient, exchangeOf, makePkce, type TestOAuthClient } from '../support/oauth.js';
import {
  ann,
  app,
  ask,
  browser,
  claimsOf,
  client,
  erase,
  get,
  HOUR_SECONDS,
  info,
  newcomer,
  other,
  passwordOf,
  refreshOf,
  resetPassword,
  ROLES,
  scopesOf,
  shop,
  useOAuth,
} from '../support/oauth-shop.js';

useOAuth();

const DAY_SECONDS = 24 * HOUR_SECONDS;
const sessionsOf = ({ key }: TestOAuthClient) => app.dataSource.manager.countBy(Session, { clientKey: key });

describe('grant_type=authorization_code', () => {
  it("returns tokens with the scopes consented to and the client's id", async () => {
    freezeClock();
    const now = Math.floor(Date.now() / 1000);
    const code = await browser.codeFor(client, { scopes: 'shop.look,shop.rate pluto.admin' });
    const answer = await ask(exchangeOf(client, code, { device_id: 'phone-1' }));
    expectOk(answer, {
      access_token: expect.any(String),
      access_token_expire_at: now + HOUR_SECONDS,
      refresh_token: expect.stringMatching(/^[\w-]{43}$/),
      refresh_token_expire_at: now + 28 * DAY_SECONDS,
      type: 'Bearer',
    });
    const tokens = answer.body as Tokens;
    const claims = claimsOf(tokens);
    expect(claims).toMatchObject({
      ...{ type: 'access', iss: shop.name, client_id: client.key },
      scopes: ['shop.look', 'shop.rate'],
    });
    expectOk(await info(tokens.access_token), expect.objectContaining({ mail: ann.mail }));
    const session = await app.dataSource.manager.findOneByOrFail(Session, { id: claims.sid });
    expect(session).toMatchObject({ clientKey: client.key, deviceId: 'phone-1' });
    expect(app.log()).not.toContain(code);
  });

  it('grants the default scope when the client requested none', async () => {
    expect(scopesOf(await browser.tokensFor(app, client))).toEqual(['shop.buy']);
  });

  it.each(['junk', 'A'.repeat(43)])('refuses the code %s with 5002', async (code) => {
    expectFailure(await ask(exchangeOf(client, code)), 403, 5002);
  });

  it("refuses another client's code with 5002, and keeps it valid", async () => {
    const code = await browser.codeFor(client);
    expectFailure(await ask(exchangeOf(other, code), other), 403, 5002);
    expectFailure(await ask(exchangeOf(client, code), other), 403, 5002);
    await get(exchangeOf(client, code));
  });

  it.each([
    ['path', (uri: string) => `${uri}2`],
    ['slash at the end', (uri: string) => `${uri}/`],
    ['port', (uri: string) => uri.replace('.example', '.example:443')],
    ['case', (uri: string) => uri.replace('/back', '/Back')],
    ['case of the host', (uri: string) => uri.replace('desk', 'DESK')],
    ['query', (uri: string) => `${uri}?`],
    ['scheme', (uri: string) => uri.replace('https', 'http')],
  ])('refuses a redirect URI of another %s with 5003, and keeps the code valid', async (_what, change) => {
    const code = await browser.codeFor(client);
    const redirect_uri = change(client.redirectUri);
    expectFailure(await ask(exchangeOf(client, code, { redirect_uri })), 403, 5003);
    await get(exchangeOf(client, code));
  });

  it('accepts a code for less than ten minutes, then answers 5004', async () => {
    freezeClock();
    const [first, second] = [await browser.codeFor(client), await browser.codeFor(client)];
    passSeconds(599);
    await get(exchangeOf(client, first));
    passSeconds(1);
    expectFailure(await ask(exchangeOf(client, second)), 403, 5004);
    passSeconds(1);
    expectFailure(await ask(exchangeOf(client, second)), 403, 5004);
  });

  it.each([0, 3600])('refuses a used code after %d s with 5002, and ends its session', async (seconds) => {
    freezeClock();
    const code = await browser.codeFor(client);
    const bystander = await browser.tokensFor(app, client);
    const tokens = await get(exchangeOf(client, code));
    const next = await get(refreshOf(tokens));
    passSeconds(seconds);
    const again = await ask(exchangeOf(client, code));
    expectFailure(again, 403, 5002);
    const messages = app
      .log()
      .split('\n')
      .filter((line) => line.includes(again.headers.get('x-request-id')!));
    expect(messages.join()).toContain('authorization code was used again: session ended');
    for (const dead of [tokens, next]) {
      expectFailure(await ask(refreshOf(dead)), 403, 3002);
      if (seconds === 0) expectFailure(await info(dead.access_token), 403, 3009);
    }
    expectFailure(await ask(exchangeOf(client, code)), 403, 5002);
    await get(refreshOf(bystander));
  });

  it('used 20 times concurrently succeeds at most once, and leaves no session', async () => {
    const racer = await addClient(app);
    const code = await browser.codeFor(racer);
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(exchangeOf(racer, code), racer)));
    const { 0: good = 0, 5002: refused } = countByCode(answers);
    expect(good).toBeLessThanOrEqual(1);
    expect(good + refused!).toBe(20);
    expect(await sessionsOf(racer)).toBe(0);
  });

  it.each([
    ['a wrong verifier', () => makePkce().verifier],
    ['no verifier', () => undefined],
    ['an empty verifier', () => ''],
    ['a short verifier', (right: string) => right.slice(0, 42)],
    ['the challenge', (_right: string, challenge = '') => challenge],
  ])('with %s is refused with 5002, and succeeds with the right one', async (_what, wrong) => {
    const { verifier, request } = makePkce();
    const code = await browser.codeFor(client, request);
    const code_verifier = wrong(verifier, request.code_challenge);
    expectFailure(await ask(exchangeOf(client, code, { code_verifier })), 403, 5002);
    await get(exchangeOf(client, code, { code_verifier: verifier }));
  });

  it('with a verifier but without challenge is refused with 5002', async () => {
    const code = await browser.codeFor(client);
    const { verifier } = makePkce();
    expectFailure(await ask(exchangeOf(client, code, { code_verifier: verifier })), 403, 5002);
    await get(exchangeOf(client, code));
  });

  it('does not grant scopes that the role has lost since the consent, nor others instead', async () => {
    const place = await addApplication(app, { name: `org.example.x${nextNumber()}`, roles: ROLES });
    const { browser: bobs } = await newcomer(place.name);
    const consented = { scopes: 'shop.look shop.rate' };
    const [first, second] = [await bobs.codeFor(client, consented), await bobs.codeFor(client, consented)];
    await detachScope(app, place, 'customer', 'shop.rate');
    expect(scopesOf(await get(exchangeOf(client, first)))).toEqual(['shop.look']);
    await detachScope(app, place, 'customer', 'shop.look');
    expect(scopesOf(await get(exchangeOf(client, second)))).toEqual([]);
  });

  it('of an account that was deleted since is refused with 5002', async () => {
    const { account, browser: bobs } = await newcomer();
    const code = await bobs.codeFor(client);
    await erase(account);
    expectFailure(await ask(exchangeOf(client, code)), 403, 5002);
  });

  it('of an account whose password was reset since is refused with 5002', async () => {
    const { account, browser: bobs } = await newcomer();
    const code = await bobs.codeFor(client);
    await resetPassword(account);
    expectFailure(await ask(exchangeOf(client, code)), 403, 5002);
  });

  it('leaves nothing behind when the account is deleted during ten exchanges', async () => {
    const { account, browser: bobs } = await newcomer();
    const racer = await addClient(app);
    const codes: string[] = [];
    while (codes.length < 10) codes.push(await bobs.codeFor(racer));
    const { access_token: token } = await login(app, account);
    const exchange = (code: string) => ask(exchangeOf(racer, code), racer);
    const [before, deletion, after] = await Promise.all([
      Promise.all(codes.slice(0, 5).map(exchange)),
      app.client.post('/v1/user/delete', undefined, { token }),
      Promise.all(codes.slice(5).map(exchange)),
    ]);
    expectOk(deletion);
    for (const { code } of [...before, ...after]) expect([0, 5002]).toContain(code);
    expect(await sessionsOf(racer)).toBe(0);
  });

  it.each([
    ['1', 60],
    ['-5', 60],
    ['7200', 7200],
    ['999999999', 30 * DAY_SECONDS],
    [undefined, HOUR_SECONDS],
  ])('converts life_time %j to %d s, for the first token', async (life_time, seconds) => {
    const tokens = await browser.tokensFor(app, client, { life_time });
    const { iat, exp } = claimsOf(tokens);
    expect([exp - iat, tokens.access_token_expire_at]).toEqual([seconds, exp]);
    const next = claimsOf(await get(refreshOf(tokens)));
    expect(next.exp - next.iat).toBe(HOUR_SECONDS);
  });
});

it("refuses a client's token with 1002 on routes that could take over the account", async () => {
  const { account } = await newcomer();
  const { access_token: token } = await get(passwordOf(account));
  for (const [method, path, body] of [
    ['PUT', '/v1/user/info', { name: 'Somebody else' }],
    ['POST', '/v1/user/binding', { type: 'mail', mail: 'mallory@example.com' }],
    ['POST', '/v1/user/unbinding', { type: 'mail' }],
    ['POST', '/v1/user/delete', {}],
  ] as const)
    expectFailure(await app.client.request(method, path, { token, body }), 403, 1002);
  expect((await info(token)).body).toMatchObject({ name: account.name, mail: account.mail });
});

it('still detects reuse of a code after its page session has ended', async () => {
  const { browser } = await newcomer();
  const code = await browser.codeFor(client);
  const tokens = await get(exchangeOf(client, code));
  await app.dataSource.manager.delete(PageSession, { userId: claimsOf(tokens).sub });
  expectFailure(await ask(exchangeOf(client, code)), 403, 5002);
  expectFailure(await info(tokens.access_token), 403, 3009);
});
