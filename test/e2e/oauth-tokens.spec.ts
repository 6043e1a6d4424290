import { AuthorizationCode as OAuthCode } from 'simple-oauth2';
import { KeyRotationService } from '../../src/token/key-rotation.service.js';
import { addAccount, type Tokens } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { type Answer } from '../support/client.js';
import { freezeClock, passSeconds, setClock } from '../support/clock.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { addClient, basic, Browser, FORM, makePkce, rawBasic, type Fields } from '../support/oauth.js';
import { decodeToken } from '../support/tokens.js';
import {
  ann,
  app,
  ask,
  browser,
  client,
  get,
  HOUR_SECONDS,
  info,
  other,
  ownOf,
  passwordOf,
  refreshOf,
  scopesOf,
  shop,
  useOAuth,
} from '../support/oauth-shop.js';

useOAuth();

const TOKENS = '/v1/oauth/tokens';

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
      ])('refuses %s with 5005 and a Basic challenge', async (_what, authorization) => {
        const answer = await answerTo(authorization());
        expectFailure(answer, 401, 5005);
        expect(answer.headers.get('www-authenticate')).toMatch(/^Basic realm="/);
        expect(answer.headers.get('cache-control')).toBe('no-store');
      });

      // RFC 6749 section 5.2: browsers show their own dialog for a Basic challenge.
      it.each([
        ['no credentials', undefined],
        ['credentials of another scheme', 'Bearer junk'],
        ['credentials of a scheme that begins like Basic', 'Basically junk'],
      ])('refuses %s with 5005, without a challenge', async (_what, authorization) => {
        const answer = await answerTo(authorization);
        expectFailure(answer, 401, 5005);
        expect(answer.headers.get('www-authenticate')).toBeNull();
      });

      it('refuses a wrong secret in the body with 5005, without a challenge', async () => {
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
  ])('refuses the body %j with 5005', async (body) => {
    expectFailure(await app.client.post(TOKENS, body), 401, 5005);
  });

  it('decodes form-encoded Basic credentials with any characters', async () => {
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

  it('accepts Basic together with the same client_id', async () => {
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

  it('refuses a missing grant type or body with 1001', async () => {
    expectFailure(await ask({ app_id: 'pluto' }), 400, 1001);
    const headers = { authorization: basic(client) };
    expectFailure(await app.client.request('POST', TOKENS, { headers }), 400, 1001);
  });

  // RFC 6749 section 3.2: a parameter without a value counts as omitted.
  it.each(['', null])('treats the grant type %j as missing: 1001', async (grant_type) => {
    expectFailure(await post('application/json', { grant_type }, basic(client)), 400, 1001);
  });

  it('accepts Basic together with empty client_id and client_secret', async () => {
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

  it('refuses page session, code and client secret as access or refresh token', async () => {
    const code = await browser.codeFor(client);
    for (const token of [browser.pageSession, code, client.secret]) {
      expectFailure(await info(token), 403, 3003);
      expectFailure(await ask(refreshOf({ refresh_token: token })), 403, 3002);
      const body = { refresh_token: token, app_id: shop.name };
      expectFailure(await app.client.post('/v1/token/refresh', body), 403, 3002);
    }
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

// Last: Passport's strategy is global, so this server's strategy replaces the other's.
describe('a token of thirty days', () => {
  let place: TestApp;
  beforeAll(async () => (place = await startTestApp()));
  afterAll(() => place.close());

  it('keeps its signing key, which otherwise is removed when normal tokens have expired', async () => {
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
