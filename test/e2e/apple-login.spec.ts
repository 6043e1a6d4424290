import { decodeJwt, decodeProtectedHeader, exportPKCS8, generateKeyPair, jwtVerify } from 'jose';
import { AppleGrant } from '../../src/auth/providers/apple/apple-grant.entity.js';
import { Session } from '../../src/token/session.entity.js';
import { Identity } from '../../src/users/identity.entity.js';
import { User } from '../../src/users/user.entity.js';
import { addAccount } from '../support/accounts.js';
import { firstAdministrator } from '../support/administration.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { APPLE_CLIENT, APPLE_ISSUER, APPLE_KEYS, APPLE_TOKEN, FakeApple } from '../support/apple.js';
import { addApplication, type TestApplication } from '../support/applications.js';
import { nextNumber, type Answer } from '../support/client.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { nowInSeconds, type Fault, type Fields } from '../support/provider-server.js';
import { strangersKey, type SigningOptions } from '../support/signing-keys.js';
import { decodeToken } from '../support/tokens.js';

const LOGIN = '/v1/user/login/apple/mobile';
const HOUR_SECONDS = 3600;
/** Longer than the pause between two fetches of Apple's keys. */
const KEYS_PAUSE_SECONDS = 61;
const GENERATED_HANDLE = /^user-[a-z2-9]{12}$/;

let apple: FakeApple;
let app: TestApp;
let shop: TestApplication;
beforeAll(async () => {
  // For all tests, and forward only: cached values must not come from the future.
  freezeClock();
  apple = await FakeApple.start();
});
afterEach(() => {
  apple.recover();
  apple.assertNothingUnexpected();
});
afterAll(async () => {
  await apple.close();
  thawClock();
});

function send(body: object): Promise<Answer> {
  return app.client.post(LOGIN, { app_id: 'pluto', ...body });
}

function newPerson(): { sub: string; email: string } {
  const number = nextNumber();
  return { sub: `001234.ab${number}.0123`, email: `ann${number}@icloud.com` };
}

/** Signs in with a fresh code. @returns the user's info and the token */
async function signIn(person: Fields = {}, body: object = {}) {
  const answer = await send({ code: apple.code(person), ...body });
  expectOk(answer);
  const token = answer.body.access_token as string;
  return { token, info: await infoOf(token) };
}

async function infoOf(token: string): Promise<Fields> {
  const answer = await app.client.get('/v1/user/info', { token });
  expectOk(answer);
  return answer.body as Fields;
}

/** The forms sent to exchange codes since the given call. */
function exchangesSince(index: number) {
  return apple.calls
    .slice(index)
    .filter(({ path }) => path === APPLE_TOKEN)
    .map(({ parameters }) => parameters);
}

/** Asserts that a login fails and creates nothing. */
async function expectRefusal(
  status: number,
  errorCode: number,
  code = apple.code(),
  message: unknown = expect.any(String),
): Promise<void> {
  const counts = () =>
    Promise.all([User, Identity, AppleGrant].map((entity) => app.dataSource.manager.count(entity)));
  const before = await counts();
  expectFailure(await send({ code }), status, errorCode, message);
  expect(await counts()).toEqual(before);
}

/** The settings of a client that the fake knows, for a server or an application. */
function knownSettings() {
  const { APPLE_TEAM_ID, APPLE_KEY_ID, APPLE_CLIENT_ID, APPLE_PRIVATE_KEY } = apple.env;
  return {
    apple_team_id: APPLE_TEAM_ID,
    apple_key_id: APPLE_KEY_ID,
    apple_client_id: APPLE_CLIENT_ID,
    apple_private_key: APPLE_PRIVATE_KEY,
  };
}

async function setSettings(application: TestApplication, settings: object): Promise<void> {
  const admin = await firstAdministrator(app);
  expectOk(await admin.put('/v1/rbac/application/settings', { app_id: application.id, ...settings }));
}

describe('POST /v1/user/login/apple/mobile', () => {
  beforeAll(async () => {
    app = await startTestApp({ env: apple.env });
    shop = await addApplication(app, { name: 'org.example.shop', roles: { customer: ['shop.buy'] } });
  });
  afterAll(() => app.close());

  describe('with a good code', () => {
    it('creates an account and returns its tokens', async () => {
      const person = newPerson();
      const answer = await send({ code: apple.code(person), name: ' Ann Lee ', device_id: 'phone-1' });
      expectOk(answer, {
        access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
        access_token_expire_at: nowInSeconds() + HOUR_SECONDS,
        refresh_token: expect.stringMatching(/^[\w-]{43}$/),
        refresh_token_expire_at: nowInSeconds() + 28 * 24 * HOUR_SECONDS,
        type: 'Bearer',
      });
      const { claims } = decodeToken(answer.body.access_token as string);
      expect(claims).toMatchObject({ type: 'access', iss: 'pluto', scopes: ['pluto.user'] });
      expect(await infoOf(answer.body.access_token as string)).toMatchObject({
        sub: claims.sub,
        user_id: expect.stringMatching(GENERATED_HANDLE),
        user_id_updated: false,
        name: 'Ann Lee',
        avatar: '',
        mail: '',
        verified: true,
        is_password_set: false,
        bindings: [{ login_type: 'apple', mail: person.email }],
      });
      const session = await app.dataSource.manager.findOneByOrFail(Session, { id: claims.sid });
      expect(session.deviceId).toBe('phone-1');
    });

    it('finds the same account at the next login and keeps its name and handle', async () => {
      const person = newPerson();
      const first = await signIn(person, { name: 'Ann' });
      const second = await signIn(person, { name: 'Somebody Else' });
      expect(second.info).toEqual(first.info);

      const change = { name: 'Ann of the Shop', user_id: `ann-${nextNumber()}` };
      expectOk(await app.client.put('/v1/user/info', change, { token: second.token }));
      const { info } = await signIn(person, { name: 'Somebody Else' });
      expect(info).toMatchObject({ sub: first.info.sub, ...change, user_id_updated: true });
    });

    it.each([
      ['control characters', '\u0007\u0008'],
      ['blanks', '   '],
      ['nothing', ''],
      ['a number', 7],
      ['true', true],
      ['an object without names', { name: 'Ann', givenName: 7 }],
      ['a list', ['Ann']],
      ['null', null],
      ['no name', undefined],
    ])('uses the handle as name if name is %s', async (_what, name) => {
      const { info } = await signIn({}, { name });
      expect(info.name).toMatch(GENERATED_HANDLE);
      expect(info.name).toBe(info.user_id);
    });

    it.each([
      [{ given_name: 'Ann', family_name: 'Lee' }, 'Ann Lee'],
      [{ givenName: 'Ann', familyName: null }, 'Ann'],
      [{ firstName: '小明', lastName: '王' }, '王小明'],
      [{ given_name: '太郎', family_name: '山田' }, '山田太郎'],
      [{ given_name: 'ボブ', family_name: 'Smith' }, 'ボブ Smith'],
      ['n'.repeat(61), 'n'.repeat(60)],
      ['Ann\u0007', 'Ann'],
      ['Ann\nLee', 'Ann Lee'],
      ['Ann \ud800', 'Ann'],
    ])('takes what fits of the name %j', async (name, fitting) => {
      expect((await signIn({}, { name })).info.name).toBe(fitting);
    });

    it.each(['n'.repeat(60), '安', ' Zoë 👩‍👩‍👧 '])('takes the name %j', async (name) => {
      expect((await signIn({}, { name })).info.name).toBe(name.trim());
    });

    it.each([
      ['ann@icloud.com', true, 'ann@icloud.com'],
      ['ann@icloud.com', 'true', 'ann@icloud.com'],
      ['x7k2m9@privaterelay.appleid.com', 'true', 'x7k2m9@privaterelay.appleid.com'],
      ['ann@icloud.com', false, ''],
      ['ann@icloud.com', 'false', ''],
      ['ann@icloud.com', undefined, ''],
      ['ann@icloud.com', 1, ''],
      ['ann@icloud.com', 'TRUE', ''],
      [undefined, true, ''],
      ['not a mail', true, ''],
      [['ann@icloud.com'], true, ''],
    ])('reads mail %j with email_verified %j as %j', async (email, email_verified, mail) => {
      const claims = { email, email_verified, is_private_email: String(email).includes('relay') };
      const { info } = await signIn(claims);
      expect(info).toMatchObject({ mail: '', bindings: [{ login_type: 'apple', mail }] });
    });

    it('stores a new mail at a later login, and keeps the old one if Apple sends none', async () => {
      const { sub } = newPerson();
      const bindings = async (claims: Fields) => (await signIn({ sub, ...claims })).info.bindings;
      const old = [{ login_type: 'apple', mail: 'old@icloud.com' }];
      expect(await bindings({ email: 'old@icloud.com' })).toEqual(old);
      expect(await bindings({ email: undefined })).toEqual(old);
      expect(await bindings({ email: 'other@icloud.com', email_verified: 'false' })).toEqual(old);
      expect(await bindings({ email: 'new@icloud.com' })).toMatchObject([{ mail: 'new@icloud.com' }]);
    });

    it('never signs in to an existing account with the same mail', async () => {
      const { mail, user_id } = await addAccount(app);
      const { info } = await signIn({ email: mail });
      expect(info).toMatchObject({ mail: '', bindings: [{ login_type: 'apple', mail }] });
      expect(info.user_id).not.toBe(user_id);
    });

    it('creates an account in each application', async () => {
      const person = newPerson();
      const here = await signIn(person);
      const there = await signIn(person, { app_id: shop.name });
      expect(there.info).toMatchObject({ app_id: shop.name, bindings: here.info.bindings });
      expect(there.info.sub).not.toBe(here.info.sub);
      expect(decodeToken(there.token).claims).toMatchObject({ iss: shop.name, scopes: ['shop.buy'] });
    });

    it('creates one account for fifteen concurrent first logins', async () => {
      const person = newPerson();
      const answers = await Promise.all(
        Array.from({ length: 15 }, () => send({ code: apple.code(person), name: 'Ann' })),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      const ids = new Set(answers.map(({ body }) => decodeToken(body.access_token as string).claims.sub));
      expect(ids.size).toBe(1);
      const identity = await app.dataSource.manager.findOneByOrFail(Identity, { subjectKey: person.sub });
      expect(await app.dataSource.manager.countBy(Identity, { userId: identity.userId })).toBe(1);
      expect(await app.dataSource.manager.countBy(AppleGrant, { identityId: identity.id })).toBe(1);
    });

    it('works without a refresh token, and stores nothing to revoke', async () => {
      const before = await app.dataSource.manager.count(AppleGrant);
      apple.alterNext(APPLE_TOKEN, { refresh_token: undefined });
      await signIn();
      expect(await app.dataSource.manager.count(AppleGrant)).toBe(before);
    });
  });

  describe('the client secret', () => {
    it('is reused for an hour and replaced before it expires', async () => {
      passSeconds(2 * HOUR_SECONDS);
      const start = apple.calls.length;
      for (const seconds of [0, HOUR_SECONDS / 2, HOUR_SECONDS / 2 - 1, 1]) {
        passSeconds(seconds);
        await signIn();
      }
      const [first, second, late, next] = exchangesSince(start).map(({ client_secret }) => client_secret!);
      expect(second).toBe(first);
      expect(late).not.toBe(first);
      expect(next).toBe(late);
      expect(decodeProtectedHeader(first!)).toMatchObject({ alg: 'ES256', kid: apple.env.APPLE_KEY_ID });
      const { iss, sub, aud, iat, exp } = decodeJwt(first!);
      expect([iss, sub, aud]).toEqual([apple.env.APPLE_TEAM_ID, APPLE_CLIENT, APPLE_ISSUER]);
      expect(exp! - iat!).toBeLessThanOrEqual(HOUR_SECONDS);
    });

    it('belongs to the application if it has an account at Apple, and follows its changes', async () => {
      const market = await addApplication(app, { name: `org.example.market${nextNumber()}` });
      const attempt = () => send({ code: apple.code(), app_id: market.name });
      // The fake knows one client only and refuses the others; their requests show who they are.
      apple.allowInvalidClient();
      for (const number of [1, 2]) {
        const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
        const own = {
          apple_team_id: 'MARKETTEAM',
          apple_key_id: `MARKETKEY${number}`,
          apple_client_id: 'org.example.market',
        };
        await setSettings(market, { ...own, apple_private_key: await exportPKCS8(privateKey) });
        const start = apple.calls.length;
        expectFailure(await attempt(), 503, 1010);
        const [{ client_id, client_secret }] = exchangesSince(start) as [Record<string, string>];
        expect(client_id).toBe(own.apple_client_id);
        const { protectedHeader } = await jwtVerify(client_secret!, publicKey, {
          algorithms: ['ES256'],
          issuer: own.apple_team_id,
          subject: own.apple_client_id,
          audience: APPLE_ISSUER,
        });
        expect(protectedHeader.kid).toBe(own.apple_key_id);
      }
      await setSettings(market, knownSettings());
      expectOk(await attempt());
    });
  });

  describe('refuses a code', () => {
    const used = async (code = apple.code()) => (expectOk(await send({ code })), code);
    const expired = (code = apple.code()) => (passSeconds(300), code);

    it.each<[string, () => string | Promise<string>]>([
      ['that was used', () => used()],
      ['that Apple does not know', () => 'c0123456789.0.mrxv.unknown'],
      ['of another client', () => apple.code({ clientId: 'org.example.other' })],
      ['that has expired', () => expired()],
      ['that would add a parameter', () => `${apple.code()}&client_id=org.example.other`],
    ])('%s with 3007', async (_what, makeCode) => {
      const code = await makeCode();
      const start = apple.calls.length;
      await expectRefusal(403, 3007, code);
      expect(exchangesSince(start)).toMatchObject([{ code, client_id: APPLE_CLIENT }]);
    });

    it.each([undefined, null, '', 7, {}, 'c\n1'])('that is %j with 1001', async (code) => {
      expectFailure(await send({ code }), 400, 1001, expect.stringMatching(/^Bad Request: code must be/));
    });

    it('that has 2,049 characters with 1001, and asks Apple for one of 2,048', async () => {
      const start = apple.calls.length;
      expectFailure(await send({ code: 'c'.repeat(2049) }), 400, 1001);
      expect(apple.calls).toHaveLength(start);
      expectFailure(await send({ code: 'c'.repeat(2048) }), 403, 3007);
    });

    it('for an unknown application with 4005, and leaves it unused', async () => {
      const code = apple.code();
      expectFailure(await send({ code, app_id: 'org.example.unknown' }), 403, 4005);
      expectOk(await send({ code }));
    });
  });

  it.each<[string, Fault]>([
    ['invalid_client', { status: 400, body: { error: 'invalid_client' } }],
    ['unauthorized_client', { status: 400, body: { error: 'unauthorized_client' } }],
    ['status 401', { status: 401, body: { error: 'invalid_client' } }],
    ['status 500', { status: 500, contentType: 'text/html', body: '<h1>Sorry</h1>' }],
    ['status 302', 'redirect'],
    ['no response', 'drop'],
    ['unexpected response', 'not-json'],
    ['error response without an error code', { status: 400, body: {} }],
  ])('answers 503 and names Apple in the log: %s', async (reason, fault) => {
    apple.fail(APPLE_TOKEN, fault);
    const start = app.log().length;
    await expectRefusal(503, 1010, undefined, 'Service unavailable: Apple is currently unreachable');
    const lines = app.log().slice(start).split('\n');
    expect(lines.find((line) => line.includes('Apple: '))).toContain(reason);
  });

  describe('refuses an ID token', () => {
    const now = nowInSeconds;
    const signatures: [string, () => Promise<SigningOptions>][] = [
      ["a stranger's", async () => ({ key: await strangersKey() })],
      ['none', () => Promise.resolve({ alg: 'none' })],
      ['the public key (PEM)', async () => ({ alg: 'HS256', key: await apple.keys.publicKeyAs('pem') })],
      ['the public key (JWK)', async () => ({ alg: 'HS256', key: await apple.keys.publicKeyAs('jwk') })],
    ];
    it.each(signatures)('whose key is %s with 3007', async (_what, options) => {
      apple.alterNextIdToken({}, await options());
      await expectRefusal(403, 3007);
    });

    it.each<[string, () => Fields]>([
      ['for another client', () => ({ aud: 'org.example.other' })],
      ['for other clients', () => ({ aud: ['org.example.other', 'org.example.more'] })],
      ['for another client next to ours', () => ({ aud: ['org.example.other', APPLE_CLIENT] })],
      ['for nobody', () => ({ aud: undefined })],
      ['of another issuer', () => ({ iss: 'https://accounts.google.com' })],
      ['of no issuer', () => ({ iss: undefined })],
      ['that has expired', () => ({ iat: now() - 700, exp: now() - 61 })],
      ['that never expires', () => ({ exp: undefined })],
      ['of no time', () => ({ iat: undefined })],
      ['of the future', () => ({ iat: now() + 120, exp: now() + 600 })],
      ['of nobody', () => ({ sub: undefined })],
      ['of an empty sub', () => ({ sub: '' })],
      ['of a sub that is a number', () => ({ sub: 12345 })],
      ['of a sub that is too long', () => ({ sub: 's'.repeat(256) })],
    ])('%s with 3007', async (_what, claims) => {
      apple.alterNextIdToken(claims());
      await expectRefusal(403, 3007);
    });

    it.each([
      ['', 403, 3007],
      ['junk', 403, 3007],
      ['a.b.c', 403, 3007],
      ['eyJhbGciOiJSUzI1NiJ9.e30.', 403, 3007],
      ['{"sub":"1"}', 403, 3007],
      // Here Apple violates the protocol.
      [undefined, 503, 1010],
      [null, 503, 1010],
      [{}, 503, 1010],
    ])('that is %j with HTTP %i and %i', async (id_token, status, errorCode) => {
      apple.alterNext(APPLE_TOKEN, { id_token });
      await expectRefusal(status, errorCode);
    });

    it('of an unknown key with 3007, after fetching the keys at most three times a minute', async () => {
      await signIn();
      passSeconds(KEYS_PAUSE_SECONDS);
      const before = apple.countOf(APPLE_KEYS);
      for (const kid of ['unknown', 'unknown', 'unheard', undefined]) {
        passSeconds(10);
        apple.alterNextIdToken({}, { kid });
        await expectRefusal(403, 3007);
      }
      expect(apple.countOf(APPLE_KEYS)).toBe(before + 3);
    });

    it('but not one of a key that is new, nor one whose audience is a list of ours alone', async () => {
      await signIn();
      passSeconds(KEYS_PAUSE_SECONDS);
      await apple.rotate();
      apple.alterNextIdToken({ aud: [APPLE_CLIENT] });
      await signIn();
    });
  });

  it('never logs or stores a code, token, client secret or key in clear', async () => {
    const start = apple.calls.length;
    const tokens = [];
    const people = [newPerson(), newPerson()];
    for (const [index, person] of people.entries()) {
      const claims = { iss: APPLE_ISSUER, aud: APPLE_CLIENT, iat: nowInSeconds(), exp: nowInSeconds() + 600 };
      const options = index === 0 ? {} : { key: await strangersKey() };
      const id_token = await apple.keys.sign({ ...claims, ...person }, options);
      apple.alterNext(APPLE_TOKEN, { id_token, access_token: `a0123456789.0.mrxv.${person.sub}` });
      const answer = await send({ code: apple.code(person) });
      expect(answer.code).toBe(index === 0 ? 0 : 3007);
      tokens.push(id_token, `a0123456789.0.mrxv.${person.sub}`, ...apple.issuedTo(person.sub));
    }
    apple.fail(APPLE_TOKEN, { status: 400, body: { error: 'invalid_client' } });
    const unused = apple.code();
    expectFailure(await send({ code: unused }), 503, 1010);
    const sent = exchangesSince(start).flatMap(({ code, client_secret }) => [code!, client_secret!]);
    const [, ...keyLines] = apple.env.APPLE_PRIVATE_KEY.trim().split('\n').slice(0, -1);
    const rows = JSON.stringify(await app.dataSource.query('SELECT * FROM apple_grants'));
    const secrets = [...tokens, ...sent, ...keyLines];
    expect(secrets).toHaveLength(6 + 6 + keyLines.length);
    expect(sent).toContain(unused);
    for (const secret of secrets) {
      expect(app.log()).not.toContain(secret);
      expect(rows).not.toContain(secret);
    }
  });
});

describe('POST /v1/user/login/apple/mobile on a server without an account at Apple', () => {
  beforeAll(async () => (app = await startTestApp({ env: { APPLE_BASE_URL: apple.url } })));
  afterAll(() => app.close());

  it('answers 1002 without asking Apple, except for an application with its own account', async () => {
    const market = await addApplication(app, { name: 'org.example.market' });
    const start = apple.calls.length;
    for (const app_id of ['pluto', market.name]) {
      const message = `Operation Forbidden: sign-in with Apple is not configured for ${app_id}`;
      expectFailure(await send({ code: apple.code(), app_id }), 403, 1002, message);
    }
    expect(apple.calls).toHaveLength(start);
    await setSettings(market, knownSettings());
    expectOk(await send({ code: apple.code(), app_id: market.name }));
    expectFailure(await send({ code: apple.code() }), 403, 1002);
  });
});
