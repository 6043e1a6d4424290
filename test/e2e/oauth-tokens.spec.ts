import { AuthorizationCode as OAuthCode } from 'simple-oauth2';
import { PageSession } from '../../src/token/page-session.entity.js';
import { Session } from '../../src/token/session.entity.js';
import { KeyRotationService } from '../../src/token/key-rotation.service.js';
import { login, addAccount, registration, type TestAccount, type Tokens } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication, detachScope, giveRole, type TestApplication } from '../support/applications.js';
import { nextNumber, type Answer } from '../support/client.js';
import { freezeClock, passSeconds, setClock, thawClock } from '../support/clock.js';
import { countByCode, expectFailure, expectOk } from '../support/expectations.js';
import {
  addClient,
  askTokens,
  basic,
  Browser,
  exchangeOf,
  FORM,
  getTokens,
  makePkce,
  rawBasic,
  type Fields,
  type TestOAuthClient,
} from '../support/oauth.js';
import { decodeToken } from '../support/tokens.js';

const TOKENS = '/v1/oauth/tokens';
const HOUR_SECONDS = 3600;
const DAY_SECONDS = 24 * HOUR_SECONDS;
const GRACE_SECONDS = 30;
const ROLES = {
  customer: ['shop.buy', 'shop.look', 'shop.rate'],
  guest: ['shop.look'],
};

let app: TestApp;
let shop: TestApplication;
/** A customer of the shop, signed in to its pages. */
let ann: TestAccount;
let browser: Browser;
let client: TestOAuthClient;
let other: TestOAuthClient;
beforeAll(async () => {
  app = await startTestApp();
  shop = await addApplication(app, { name: 'org.example.shop', roles: ROLES });
  ann = await addAccount(app, { app_id: shop.name });
  browser = await Browser.signIn(app, ann);
  client = await addClient(app);
  other = await addClient(app);
});
afterAll(() => app.close());
afterEach(thawClock);

const ask = (fields: Fields, by: TestOAuthClient | null = client) => askTokens(app, by, fields);
const get = (fields: Fields, by = client) => getTokens(app, by, fields);
const info = (token: string) => app.client.get('/v1/user/info', { token });
const claimsOf = ({ access_token }: Tokens) => decodeToken(access_token).claims;
const scopesOf = (tokens: Tokens) => claimsOf(tokens).scopes;
const sessionsOf = ({ key }: TestOAuthClient) => app.dataSource.manager.countBy(Session, { clientKey: key });

function refreshOf({ refresh_token }: { refresh_token: string }, change: Fields = {}): Fields {
  return { grant_type: 'refresh_token', refresh_token, app_id: shop.name, ...change };
}

function passwordOf({ mail, password, app_id }: TestAccount, change: Fields = {}): Fields {
  return { grant_type: 'password', user: mail, password, app_id, ...change };
}

function ownOf(app_id: string, change: Fields = {}): Fields {
  return { grant_type: 'client_credentials', app_id, ...change };
}

/** Someone else, of the shop or of an application that a test may change. */
async function newcomer(app_id = shop.name): Promise<{ account: TestAccount; browser: Browser }> {
  const account = await addAccount(app, { app_id });
  return { account, browser: await Browser.signIn(app, account) };
}

async function erase(account: TestAccount): Promise<void> {
  const { access_token: token } = await login(app, account);
  expectOk(await app.client.post('/v1/user/delete', undefined, { token }));
}

async function resetPassword({ mail, app_id }: TestAccount): Promise<void> {
  expectOk(await app.client.post('/v1/user/password/reset/mail', { mail, app_id }));
  const fields = { password: 'another password', password_repeat: 'another password' };
  const done = await app.client.submit(await app.mailbox.linkTo(mail), fields);
  expect(done.status).toBe(200);
}

function post(type: string, body: unknown, authorization?: string): Promise<Answer> {
  const headers = { 'content-type': type, ...(authorization !== undefined && { authorization }) };
  return app.client.post(TOKENS, body, { headers });
}

describe('POST /v1/oauth/tokens', () => {
  describe.each(['authorization_code', 'password', 'client_credentials', 'refresh_token', 'nonsense', ''])(
    'with the grant type %j and nothing that goes with it',
    (grant_type) => {
      const answerTo = (authorization?: string) =>
        post(FORM, new URLSearchParams({ grant_type }).toString(), authorization);

      it.each([
        ['a wrong secret', () => basic({ ...client, secret: `${client.secret}x` })],
        ["another client's secret", () => basic({ ...client, secret: other.secret })],
        ['an empty secret', () => basic({ ...client, secret: '' })],
        ['an unknown client', () => basic({ ...client, key: 'nobody' })],
        ['Basic with nothing', () => 'Basic '],
        ['Basic that is no base64', () => 'Basic ***'],
        ['Basic without colon', () => rawBasic(client.key)],
        ['Basic with a broken escape', () => rawBasic(`${client.key}:%zz`)],
        ['Basic that is no UTF-8', () => rawBasic(`${client.key}:%ff`)],
        ['Basic in small letters', () => basic({ ...client, secret: 'wrong' }).replace('Basic', 'basic')],
      ])('refuses %s with 5005 and asks for Basic', async (_what, authorization) => {
        const answer = await answerTo(authorization());
        expectFailure(answer, 401, 5005);
        expect(answer.headers.get('www-authenticate')).toMatch(/^Basic realm="/);
        expect(answer.headers.get('cache-control')).toBe('no-store');
      });

      // RFC 6749 section 5.2: browsers answer a challenge by Basic with a dialog of their own.
      it.each([
        ['no credentials', undefined],
        ['credentials of another scheme', 'Bearer junk'],
        ['credentials of a scheme that begins like Basic', 'Basically junk'],
      ])('refuses %s with 5005 and asks for nothing', async (_what, authorization) => {
        const answer = await answerTo(authorization);
        expectFailure(answer, 401, 5005);
        expect(answer.headers.get('www-authenticate')).toBeNull();
      });

      it('refuses a wrong secret in the body with 5005 and asks for nothing', async () => {
        const fields = { grant_type, client_id: client.key, client_secret: 'a-wrong-secret' };
        for (const answer of [
          await post(FORM, new URLSearchParams(fields).toString()),
          await post('application/json', fields),
        ]) {
          expectFailure(answer, 401, 5005);
          expect(answer.headers.get('www-authenticate')).toBeNull();
        }
      });

      it.each(['pend', 'denied'] as const)('refuses a client with status %s with 5008', async (status) => {
        const unapproved = await addClient(app, { status });
        expectFailure(await answerTo(basic(unapproved)), 403, 5008);
        expectFailure(await answerTo(basic({ ...unapproved, secret: 'wrong-secret' })), 401, 5005);
      });
    },
  );

  it.each([
    {},
    { client_id: 'nobody', client_secret: 'a-secret' },
    { client_secret: 'a-secret' },
    { client_id: 1, client_secret: 2 },
    { client_id: ['desk'], client_secret: {} },
  ])('refuses a body that says %j with 5005', async (body) => {
    expectFailure(await app.client.post(TOKENS, body), 401, 5005);
  });

  it('reads Basic form-encoded, whatever key and secret are made of', async () => {
    const odd = await addClient(app, { key: 'org:desk%3A+', secret: '+%25:&=/?"#~%+' });
    await get(ownOf('pluto'), odd);
    const percent = [odd.key, odd.secret].map(encodeURIComponent).join(':');
    expectOk(await post(FORM, 'grant_type=client_credentials&app_id=pluto', rawBasic(percent)));
    const lowerCase = basic(odd).replace('Basic', 'bAsIc  ');
    expectOk(await post(FORM, 'grant_type=client_credentials&app_id=pluto', lowerCase));
    const raw = rawBasic(`${odd.key}:${odd.secret}`);
    expectFailure(await post(FORM, 'grant_type=client_credentials&app_id=pluto', raw), 401, 5005);
    const body = { ...ownOf('pluto'), client_id: odd.key, client_secret: odd.secret };
    expectOk(await app.client.post(TOKENS, body));
  });

  it.each([
    ['the same', () => ({ client_id: client.key, client_secret: client.secret })],
    ['the secret alone', () => ({ client_secret: client.secret })],
    ['another client', () => ({ client_id: other.key })],
  ])('refuses Basic together with %s in the body with 1001', async (_what, fields) => {
    expectFailure(await ask(ownOf('pluto', fields())), 400, 1001);
  });

  it('takes Basic together with the same client_id', async () => {
    await get(ownOf('pluto', { client_id: client.key }));
  });

  it.each([['application/json'], [`${FORM}; charset=utf-8`]])('takes %s', async (type) => {
    const fields = { grant_type: 'client_credentials', app_id: 'pluto' };
    const body = type === 'application/json' ? fields : new URLSearchParams(fields).toString();
    const answer = await post(type, body, basic(client));
    expectOk(answer);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it.each(['text/plain', 'multipart/form-data; boundary=x', 'application/xml'])(
    'refuses %s with 1008',
    async (type) => {
      const body = 'grant_type=client_credentials&app_id=pluto';
      expectFailure(await post(type, body, basic(client)), 415, 1008);
    },
  );

  it.each(['constructor', '__proto__', 'toString', 'Password', ['password'], {}, 1])(
    'refuses the grant type %j with 5001',
    async (grant_type) => {
      expectFailure(await post('application/json', { grant_type }, basic(client)), 403, 5001);
    },
  );

  it('refuses no grant type, and no body, with 1001', async () => {
    expectFailure(await ask({ app_id: 'pluto' }), 400, 1001);
    const headers = { authorization: basic(client) };
    expectFailure(await app.client.request('POST', TOKENS, { headers }), 400, 1001);
  });

  // RFC 6749 section 3.2: a parameter without a value counts as left out.
  it.each(['', null])('takes the grant type %j for none: 1001', async (grant_type) => {
    expectFailure(await post('application/json', { grant_type }, basic(client)), 400, 1001);
  });

  it('takes Basic together with client_id and client_secret without a value', async () => {
    await get(ownOf('pluto', { client_id: '', client_secret: '' }));
  });

  it.each([
    'grant_type=client_credentials&app_id=pluto&app_id=pluto',
    'grant_type=client_credentials&app_id=pluto&scopes=a&scopes=b',
    'grant_type=authorization_code&code=a&code=b&redirect_uri=c',
    'grant_type=password&user=a&password=b&password=b&app_id=pluto',
    'grant_type=refresh_token&refresh_token=a&refresh_token=a&app_id=pluto',
  ])('refuses the repeated field in %s with 1001', async (body) => {
    expectFailure(await post(FORM, body, basic(client)), 400, 1001);
  });

  it.each([
    ['authorization_code', ['code', 'redirect_uri']],
    ['password', ['user', 'password', 'app_id']],
    ['client_credentials', ['app_id']],
    ['refresh_token', ['refresh_token', 'app_id']],
  ])('refuses %s without one of %j with 1001', async (grant_type, fields) => {
    const code = await browser.codeFor(client);
    const { refresh_token } = await get(passwordOf(ann));
    const given: Fields = {
      ...{ code, redirect_uri: client.redirectUri, refresh_token, user: ann.mail },
      ...{ password: ann.password, app_id: shop.name },
    };
    for (const field of fields) {
      expectFailure(await ask({ ...given, grant_type, [field]: undefined }), 400, 1001);
      expectFailure(await ask({ ...given, grant_type, [field]: '' }), 400, 1001);
    }
    await get({ ...given, grant_type });
  });

  it('takes no page session, code or client secret for an access or refresh token', async () => {
    const code = await browser.codeFor(client);
    for (const token of [browser.pageSession, code, client.secret]) {
      expectFailure(await info(token), 403, 3003);
      expectFailure(await ask(refreshOf({ refresh_token: token })), 403, 3002);
      const body = { refresh_token: token, app_id: shop.name };
      expectFailure(await app.client.post('/v1/token/refresh', body), 403, 3002);
    }
  });
});

describe('grant_type=authorization_code', () => {
  it('gives tokens with the scopes consented to, which show whose client they are', async () => {
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

  it('gives the default scope when the client asked for none', async () => {
    expect(scopesOf(await browser.tokensFor(app, client))).toEqual(['shop.buy']);
  });

  it.each(['junk', 'A'.repeat(43)])('refuses the code %s with 5002', async (code) => {
    expectFailure(await ask(exchangeOf(client, code)), 403, 5002);
  });

  it("refuses another client's code with 5002, and it stays good", async () => {
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
  ])('refuses a redirect URI of another %s with 5003, and the code stays good', async (_what, change) => {
    const code = await browser.codeFor(client);
    const redirect_uri = change(client.redirectUri);
    expectFailure(await ask(exchangeOf(client, code, { redirect_uri })), 403, 5003);
    await get(exchangeOf(client, code));
  });

  it('takes a code for less than ten minutes, and then says 5004', async () => {
    freezeClock();
    const [first, second] = [await browser.codeFor(client), await browser.codeFor(client)];
    passSeconds(599);
    await get(exchangeOf(client, first));
    passSeconds(1);
    expectFailure(await ask(exchangeOf(client, second)), 403, 5004);
    passSeconds(1);
    expectFailure(await ask(exchangeOf(client, second)), 403, 5004);
  });

  it.each([0, 3600])('refuses a used code after %d s with 5002, and ends what it gave', async (seconds) => {
    freezeClock();
    const code = await browser.codeFor(client);
    const bystander = await browser.tokensFor(app, client);
    const tokens = await get(exchangeOf(client, code));
    const next = await get(refreshOf(tokens));
    passSeconds(seconds);
    const again = await ask(exchangeOf(client, code));
    expectFailure(again, 403, 5002);
    const told = app
      .log()
      .split('\n')
      .filter((line) => line.includes(again.headers.get('x-request-id')!));
    expect(told.join()).toContain('a used authorization code was shown again: session ended');
    for (const dead of [tokens, next]) {
      expectFailure(await ask(refreshOf(dead)), 403, 3002);
      if (seconds === 0) expectFailure(await info(dead.access_token), 403, 3009);
    }
    expectFailure(await ask(exchangeOf(client, code)), 403, 5002);
    await get(refreshOf(bystander));
  });

  it('used 20 times at once succeeds once at most, and leaves no session', async () => {
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
  ])('with %s is refused with 5002, and good with the right one', async (_what, wrong) => {
    const { verifier, request } = makePkce();
    const code = await browser.codeFor(client, request);
    const code_verifier = wrong(verifier, request.code_challenge);
    expectFailure(await ask(exchangeOf(client, code, { code_verifier })), 403, 5002);
    await get(exchangeOf(client, code, { code_verifier: verifier }));
  });

  it('with a verifier where no challenge was sent is refused with 5002', async () => {
    const code = await browser.codeFor(client);
    const { verifier } = makePkce();
    expectFailure(await ask(exchangeOf(client, code, { code_verifier: verifier })), 403, 5002);
    await get(exchangeOf(client, code));
  });

  it('does not grant what the role has lost since the consent, nor anything instead', async () => {
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

  it('leaves nothing when the account is deleted while ten are exchanged', async () => {
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
  ])('makes of the life_time %j one of %d s, for the first token', async (life_time, seconds) => {
    const tokens = await browser.tokensFor(app, client, { life_time });
    const { iat, exp } = claimsOf(tokens);
    expect([exp - iat, tokens.access_token_expire_at]).toEqual([seconds, exp]);
    const next = claimsOf(await get(refreshOf(tokens)));
    expect(next.exp - next.iat).toBe(HOUR_SECONDS);
  });
});

it("refuses with 1002 whatever could cost the account, to a client's token", async () => {
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

it('gives no second life to what a code was exchanged for by ending the page session', async () => {
  const { browser } = await newcomer();
  const code = await browser.codeFor(client);
  const tokens = await get(exchangeOf(client, code));
  await app.dataSource.manager.delete(PageSession, { userId: claimsOf(tokens).sub });
  expectFailure(await ask(exchangeOf(client, code)), 403, 5002);
  expectFailure(await info(tokens.access_token), 403, 3009);
});

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

  it('refuses an unverified mail with 2003, told only to who has the password', async () => {
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
  it('gives a token about no user, without refresh token', async () => {
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

  it('grants nothing where there is no default role', async () => {
    const { name } = await addApplication(app, { name: `org.example.x${nextNumber()}` });
    expect(scopesOf(await get(ownOf(name, { scopes: 'pluto.admin' })))).toEqual([]);
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

  it('gives the successor, to be had again until it is used', async () => {
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

  it('lets 20 at once converge on one successor', async () => {
    const tokens = await browser.tokensFor(app, client);
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(refreshOf(tokens))));
    expect(countByCode(answers)).toEqual({ 0: 20 });
    expect(new Set(answers.map(({ body }) => body.refresh_token as string)).size).toBe(1);
  });

  it('is for the client alone that got the token', async () => {
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

  it('takes away what the role has lost, and gives nothing that was not granted', async () => {
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
    ['a token that is none', 3002, { refresh_token: 'junk' }],
  ])('refuses %s with %d, and uses nothing up', async (_what, code, change) => {
    const tokens = await browser.tokensFor(app, client);
    expectFailure(await ask(refreshOf(tokens, change)), 403, code);
    await get(refreshOf(tokens));
  });

  it('takes a token until the second before it expires, and then says 3011', async () => {
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

describe('a generic OAuth library', () => {
  it.each([
    ['form', 'header'],
    ['form', 'body'],
    ['json', 'header'],
    ['json', 'body'],
  ] as const)('fetches tokens by %s, credentials in the %s', async (bodyFormat, authorizationMethod) => {
    const { key: id, secret, redirectUri: redirect_uri } = client;
    const oauth = new OAuthCode({
      client: { id, secret },
      auth: { tokenHost: app.url, tokenPath: TOKENS, authorizePath: '/web/authorize' },
      options: { bodyFormat, authorizationMethod },
    });
    const { verifier: code_verifier, request: pkce } = makePkce();
    const wanted = { redirect_uri, scope: 'shop.look', state: 'a&b=c d', app_id: shop.name, ...pkce };
    const address = new URL(oauth.authorizeURL(wanted));
    const { searchParams: back } = await browser.allow(address.pathname + address.search);
    expect(back.get('state')).toBe('a&b=c d');
    const grant = { code: back.get('code')!, redirect_uri, code_verifier };
    const { token } = await oauth.getToken(grant);
    const tokens = token.body as Tokens;
    expect(scopesOf(tokens)).toEqual(['shop.look']);
    expectOk(await info(tokens.access_token));
    await expect(oauth.getToken(grant)).rejects.toMatchObject({ output: { statusCode: 403 } });
  });
});

// Last: Passport holds its strategy for the whole process, so this server's would stay in the place of the other's.
describe('a token of thirty days', () => {
  let place: TestApp;
  beforeAll(async () => (place = await startTestApp()));
  afterAll(() => place.close());

  it('outlives the key that signed it, which otherwise goes when normal tokens have expired', async () => {
    const account = await addAccount(place);
    const desk = await addClient(place);
    const rotate = () => place.app.get(KeyRotationService).rotate(null, 0);
    const published = async (): Promise<unknown[]> => {
      const { json } = await place.client.get('/.well-known/jwks.json');
      return (json.keys as { kid: string }[]).map(({ kid }) => kid);
    };
    freezeClock();
    const normal = await (await Browser.signIn(place, account)).tokensFor(place, desk);
    await rotate();
    passSeconds(2 * HOUR_SECONDS);
    expect(await published()).not.toContain(decodeToken(normal.access_token).header.kid);

    const bobs = await Browser.signIn(place, account);
    const { access_token } = await bobs.tokensFor(place, desk, { life_time: '999999999' });
    await rotate();
    passSeconds(2 * HOUR_SECONDS);
    const { header, claims } = decodeToken(access_token);
    expect(await published()).toContain(header.kid);
    expect(await published()).toHaveLength(2);
    const verify = () => place.client.get(`/v1/token/access/verify?token=${access_token}`);
    setClock(claims.exp - 1);
    await place.app.get(KeyRotationService).purgeRetired(new AbortController().signal);
    expectOk(await verify(), claims);
    setClock(claims.exp);
    expect((await verify()).status).toBe(403);
    passSeconds(60);
    expect(await published()).not.toContain(header.kid);
  });
});
