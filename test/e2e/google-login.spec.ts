import { In } from 'typeorm';
import { Identity } from '../../src/users/identity.entity.js';
import { ProviderSubject } from '../../src/users/provider-subject.entity.js';
import { User } from '../../src/users/user.entity.js';
import { Session } from '../../src/token/session.entity.js';
import { expectSearchIndexIsExact } from '../support/search-index.js';
import { login as loginByPassword, addAccount, registration, type Tokens } from '../support/accounts.js';
import { addAdministrator } from '../support/administration.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication } from '../support/applications.js';
import { nextNumber, type Answer } from '../support/client.js';
import { freezeClock, thawClock } from '../support/clock.js';
import { countByCode, expectFailure, expectOk } from '../support/expectations.js';
import { FakeGoogle, GOOGLE_CERTS, GOOGLE_IOS_CLIENT, GOOGLE_WEB_CLIENT } from '../support/google.js';
import { nowInSeconds, type Fields } from '../support/provider-server.js';
import { strangersKey } from '../support/signing-keys.js';
import { decodeToken, encodePart } from '../support/tokens.js';

const ROUTE = '/v1/user/login/google/mobile';
const OTHER_CLIENT = 'other.apps.googleusercontent.com';
const HANDLE = /^user-[a-z2-9]{12}$/;
const BETWEEN_TESTS_MS = 30 * 60_000;

let google: FakeGoogle;
let app: TestApp;
/** Without client ids. */
let bare: TestApp;
let clock = Date.now();
beforeAll(async () => {
  google = await FakeGoogle.start();
  bare = await startTestApp({ env: { GOOGLE_JWKS_URL: google.env.GOOGLE_JWKS_URL } });
  // Started last: Nest's logger and Passport's strategy are global.
  app = await startTestApp({ env: google.env });
});
// Keys are cached for ten minutes, so each test starts without any.
beforeEach(() => freezeClock((clock += BETWEEN_TESTS_MS)));
afterEach(() => {
  thawClock();
  google.recover();
  google.assertNothingUnexpected();
});
afterAll(async () => {
  await app.close();
  await bare.close();
  await google.close();
});

function send(id_token: unknown, change: Fields = {}): Promise<Answer> {
  return app.client.post(ROUTE, { id_token, app_id: 'pluto', ...change });
}

async function attempt(claims: Fields = {}, change: Fields = {}): Promise<Answer> {
  return send(await google.idToken(claims), change);
}

/** @returns the access token */
async function signIn(claims: Fields = {}, change: Fields = {}): Promise<string> {
  const answer = await attempt(claims, change);
  expectOk(answer);
  return (answer.body as Tokens).access_token;
}

/** Claims of one person. */
function newPerson() {
  const number = nextNumber();
  return { sub: `2${String(number).padStart(20, '0')}`, email: `grace${number}@gmail.com` };
}

function info(token: string): Promise<Answer> {
  return app.client.get('/v1/user/info', { token });
}

function idOf(token: string): number {
  return decodeToken(token).claims.sub;
}

async function sessionOf(token: string): Promise<Session> {
  return app.dataSource.manager.findOneByOrFail(Session, { id: decodeToken(token).claims.sid });
}

function countUsers(): Promise<number> {
  return app.dataSource.manager.count(User);
}

async function expectRefused(answer: Answer, usersBefore: number): Promise<void> {
  expectFailure(answer, 403, 3004, 'Invalid Google ID Token');
  expect(await countUsers()).toBe(usersBefore);
}

describe('POST /v1/user/login/google/mobile', () => {
  it("creates an account from Google's claims, and signs in", async () => {
    const { sub, email } = newPerson();
    const picture = 'https://lh3.googleusercontent.com/a/grace=s96-c';
    const answer = await attempt({ sub, email, name: 'Grace Hopper', picture });
    const now = nowInSeconds();
    expectOk(answer, {
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      access_token_expire_at: now + 3600,
      refresh_token: expect.stringMatching(/^[\w-]{43}$/),
      refresh_token_expire_at: now + 28 * 24 * 3600,
      type: 'Bearer',
    });
    const { access_token: token } = answer.body as Tokens;
    expect(decodeToken(token).claims).toMatchObject({ iss: 'pluto', scopes: ['pluto.user'] });
    expectOk(await info(token), {
      sub: idOf(token),
      user_id: expect.stringMatching(HANDLE),
      user_id_updated: false,
      name: 'Grace Hopper',
      avatar: picture,
      mail: '',
      role: 'user',
      app_id: 'pluto',
      verified: true,
      created_at: now,
      updated_at: now,
      is_password_set: false,
      bindings: [{ login_type: 'google', mail: email }],
    });
  });

  it('lets the user change the generated handle', async () => {
    const token = await signIn();
    const user_id = `grace-${nextNumber()}`;
    expectOk(await app.client.put('/v1/user/info', { user_id }, { token }), {});
    expect((await info(token)).body).toMatchObject({ user_id, user_id_updated: true });
  });

  it('finds the same account again, from any device and with any of our apps', async () => {
    const person = newPerson();
    const first = await signIn(person, { device_id: 'phone-1' });
    const users = await countUsers();
    const second = await signIn({ ...person, aud: GOOGLE_WEB_CLIENT }, { device_id: 'tablet-2' });
    expect(idOf(second)).toBe(idOf(first));
    expect(await countUsers()).toBe(users);
    const sessions = await Promise.all([first, second].map(sessionOf));
    expect(sessions.map(({ deviceId }) => deviceId)).toEqual(['phone-1', 'tablet-2']);
    expect((await info(first)).status).toBe(200);
  });

  it('keeps name and picture of the account, and stores a mail that Google has verified', async () => {
    const person = newPerson();
    const { name, avatar } = (await info(await signIn(person))).body;
    const change = { ...person, name: 'Another Name', picture: 'https://example.com/other.png' };

    const unconfirmed = await signIn({ ...change, email: 'stolen@example.com', email_verified: false });
    const kept = { name, avatar, bindings: [{ login_type: 'google', mail: person.email }] };
    expect((await info(unconfirmed)).body).toMatchObject(kept);

    const confirmed = await signIn({ ...change, email: 'grace@new.example' });
    const taken = { name, avatar, bindings: [{ login_type: 'google', mail: 'grace@new.example' }] };
    expect((await info(confirmed)).body).toMatchObject(taken);
  });

  it('distinguishes people whose ids at Google differ only in case', async () => {
    const { sub } = newPerson();
    expect(idOf(await signIn({ sub: `a${sub}` }))).not.toBe(idOf(await signIn({ sub: `A${sub}` })));
  });

  it('accepts an application in any case, a null device id and unknown fields', async () => {
    const token = await signIn({}, { app_id: 'PLUTO', device_id: null, name: 7, code: { a: 1 }, nonce: [] });
    expect((await sessionOf(token)).deviceId).toBe('');
  });

  it.each<[string, Fields]>([
    ['the issuer with https', { iss: 'https://accounts.google.com' }],
    ['the issuer without https', { iss: 'accounts.google.com' }],
    ['several audiences, all of them ours', { aud: [GOOGLE_IOS_CLIENT, GOOGLE_WEB_CLIENT] }],
    ['our audience and no azp', { aud: GOOGLE_WEB_CLIENT, azp: undefined }],
    // What an Android app gets for its team's server.
    ['our audience and an unknown azp', { aud: GOOGLE_WEB_CLIENT, azp: OTHER_CLIENT }],
    ['an id of 255 characters', { sub: 's'.repeat(255) }],
  ])('accepts a token with %s', async (_what, claims) => {
    await signIn(claims);
  });

  it.each([
    ['exp', -59, true],
    ['exp', -61, false],
    ['iat', 59, true],
    ['iat', 61, false],
  ])('with %s %d seconds from now accepts the token: %s', async (claim, seconds, isGood) => {
    const users = await countUsers();
    const answer = await attempt({ [claim]: nowInSeconds() + seconds });
    if (isGood) expectOk(answer);
    else await expectRefused(answer, users);
  });

  describe('refuses with 3004, and creates no account for,', () => {
    const withAlgorithm = async (alg: string) => google.idToken({}, { alg, key: await strangersKey(alg) });
    const withSecret = async (form: 'pem' | 'jwk') =>
      google.idToken({}, { alg: 'HS256', key: await google.keys.publicKeyAs(form) });
    const partsOf = async () => (await google.idToken()).split('.') as [string, string, string];
    const changed = async (change: (...tokens: [string, string, string][]) => string[]) =>
      change(await partsOf(), await partsOf()).join('.');

    it.each<[string, () => string | Promise<string>]>([
      ["a stranger's signature", () => withAlgorithm('RS256')],
      ['a key id that Google does not publish', () => google.idToken({}, { kid: 'unknown' })],
      ['no key id, where Google has two keys', () => google.idToken({}, { header: { kid: undefined } })],
      ['no signature (none)', () => google.idToken({}, { alg: 'none' })],
      ['a signature cut off', () => changed(([header, payload]) => [header, payload, ''])],
      ['HS256 with the public key (PEM) as its secret', () => withSecret('pem')],
      ['HS256 with the public key (JWK) as its secret', () => withSecret('jwk')],
      ['RS512', () => withAlgorithm('RS512')],
      ['PS256', () => withAlgorithm('PS256')],
      ['ES256', () => withAlgorithm('ES256')],
      [
        'a payload that was exchanged',
        () => changed(([header, , end], [, payload]) => [header, payload, end]),
      ],
      ['two parts', () => changed((parts) => parts.slice(0, 2))],
      ['four parts', () => changed((parts) => [...parts, 'more'])],
      ['a payload that is no object', () => changed(([header, , end]) => [header, encodePart(null), end])],
      ['a header that is no object', () => changed(([, payload, end]) => [encodePart([]), payload, end])],
      ['a text that is no token', () => 'junk'],
      ['dots', () => '..'],
      ['text beyond ASCII', () => 'é.é.é'],
      ['an access token of our own', async () => (await addAdministrator(app)).token],
    ])('%s', async (_what, make) => {
      const token = await make();
      const users = await countUsers();
      await expectRefused(await send(token), users);
    });

    it.each<[string, Fields]>([
      ["another's audience", { aud: OTHER_CLIENT, azp: OTHER_CLIENT }],
      ['the audience of another and our app as azp', { aud: OTHER_CLIENT, azp: GOOGLE_IOS_CLIENT }],
      ['the audience of another next to ours', { aud: [GOOGLE_IOS_CLIENT, OTHER_CLIENT] }],
      ["others' audiences", { aud: [OTHER_CLIENT, `x${GOOGLE_IOS_CLIENT}`], azp: OTHER_CLIENT }],
      [
        'both our client ids as one text',
        { aud: `${GOOGLE_IOS_CLIENT},${GOOGLE_WEB_CLIENT}`, azp: undefined },
      ],
      ['no audience though azp is ours', { aud: undefined }],
      ['an empty list of audiences and no azp', { aud: [], azp: undefined }],
      ['an audience that is no text', { aud: { 0: GOOGLE_IOS_CLIENT }, azp: undefined }],
      ["another's issuer", { iss: 'https://accounts.example.com' }],
      ['an issuer that begins like Google', { iss: 'https://accounts.google.com.example' }],
      ['no issuer', { iss: undefined }],
      ['a time of expiry long ago', { exp: 1_700_000_000 }],
      ['no time of expiry', { exp: undefined }],
      ['a time of expiry that is a text', { exp: '9999999999' }],
      ['no time of issue', { iat: undefined }],
      ['a time of issue far in the future', { iat: 9_999_999_999, exp: 9_999_999_999 }],
      ['a time of issue that is a text', { iat: '1700000000' }],
      ['no subject', { sub: undefined }],
      ['an empty subject', { sub: '' }],
      ['a subject that is a number', { sub: 12345 }],
      ['a subject of 256 characters', { sub: 's'.repeat(256) }],
      ['a subject with a blank', { sub: '1 2' }],
      ['a subject beyond ASCII', { sub: '１２' }],
    ])('%s', async (_what, claims) => {
      const users = await countUsers();
      await expectRefused(await attempt(claims), users);
    });
  });

  describe("of Google's claims, takes", () => {
    it.each<[string, Fields, string]>([
      ['a mail that is confirmed', { email: 'a@example.com' }, 'a@example.com'],
      ['no mail that is not', { email_verified: false }, ''],
      ['no mail of which Google does not say so', { email_verified: undefined }, ''],
      ["no mail that is confirmed: 'false'", { email_verified: 'false' }, ''],
      ['no mail that is confirmed: 1', { email_verified: 1 }, ''],
      ['no invalid mail', { email: 'grace at gmail' }, ''],
      ['no mail with quotes', { email: '"grace hopper"@gmail.com' }, ''],
      ['no mail of 258 characters', { email: `${'m'.repeat(63)}@${'d.'.repeat(95)}com` }, ''],
      ['no mail that is a list', { email: ['grace@gmail.com'] }, ''],
      ['no missing mail', { email: undefined }, ''],
    ])('%s', async (_what, claims, mail) => {
      const { bindings, verified } = (await info(await signIn(claims))).body;
      expect({ bindings, verified }).toEqual({ bindings: [{ login_type: 'google', mail }], verified: true });
    });

    it.each([
      ['a name with blanks around, trimmed', '  Grace Hopper\u3000', 'Grace Hopper'],
      ['a name of 60 characters', '👩'.repeat(60), '👩'.repeat(60)],
      ['a name of 61 characters, cut', 'n'.repeat(61), 'n'.repeat(60)],
      ['a name with a line break', 'Grace\nHopper', 'Grace Hopper'],
      ['a name with a zero', 'Grace\0', 'Grace'],
      ['the handle instead of blanks', ' \u3000 ', null],
      ['the handle instead of an empty name', '', null],
      ['the handle instead of an invisible name', '\u200b\u2800', null],
      ['a name that begins with a mark', '\u200fسلام', '\u200fسلام'],
      ['the handle where there is no name', undefined, null],
      ['the handle instead of a number', 7, null],
      ['the handle instead of a list', ['Grace'], null],
    ])('%s', async (_what, given, taken) => {
      const { name, user_id } = (await info(await signIn({ name: given }))).body;
      expect(user_id).toMatch(HANDLE);
      expect(name).toBe(taken ?? user_id);
    });

    const longest = `https://example.com/${'p'.repeat(2048 - 20)}`;
    it.each([
      ['a picture with http', 'http://example.com/grace.png', true],
      ['a picture with an address of 2048 characters', longest, true],
      ['no picture with one of 2049', `${longest}p`, false],
      ['no javascript:', 'javascript:alert(1)', false],
      ['no data:', 'data:image/png;base64,iVBORw0KGgo=', false],
      ['no base64', 'iVBORw0KGgo=', false],
      ['no file:', 'file:///etc/passwd', false],
      ['no picture with a quote in its address', 'https://example.com/"onerror="x', false],
      ['no picture with a user in its address', 'https://google.com@example.com/', false],
      ['no picture that is a number', 7, false],
      ['no picture that is an object', { url: 'https://example.com/grace.png' }, false],
      ['no missing picture', undefined, false],
    ])('%s', async (_what, picture, isTaken) => {
      expect((await info(await signIn({ picture }))).body.avatar).toBe(isTaken ? picture : '');
    });
  });

  describe('with a mail that is already registered', () => {
    it('creates another account, and does not change the registered one', async () => {
      const account = await addAccount(app);
      const own = idOf((await loginByPassword(app, account)).access_token);
      const token = await signIn({ email: account.mail });
      expect(idOf(token)).not.toBe(own);
      expect((await info(token)).body.bindings).toEqual([{ login_type: 'google', mail: account.mail }]);
      const after = (await loginByPassword(app, account)).access_token;
      expect(idOf(after)).toBe(own);
      expect((await info(after)).body.bindings).toEqual([{ login_type: 'mail', mail: account.mail }]);
    });

    it('does not block the mail for a later registration', async () => {
      const account = registration();
      const token = await signIn({ email: account.mail });
      expect(idOf((await loginByPassword(app, await addAccount(app, account))).access_token)).not.toBe(
        idOf(token),
      );
      expect((await info(token)).status).toBe(200);
    });
  });

  describe('by application', () => {
    it('creates one account each', async () => {
      const { name } = await addApplication(app, { name: `org.example.${nextNumber()}` });
      const person = newPerson();
      const here = await signIn(person);
      const there = await signIn(person, { app_id: name });
      expect(idOf(there)).not.toBe(idOf(here));
      expect((await info(there)).body).toMatchObject({ app_id: name, role: '' });
      expect([idOf(await signIn(person)), idOf(await signIn(person, { app_id: name }))]).toEqual(
        [here, there].map(idOf),
      );
    });

    it('refuses an unknown one with 4005, before Google is asked', async () => {
      const users = await countUsers();
      const calls = google.countOf(GOOGLE_CERTS);
      expectFailure(await attempt({}, { app_id: 'org.example.unknown' }), 403, 4005);
      expect([await countUsers(), google.countOf(GOOGLE_CERTS)]).toEqual([users, calls]);
    });

    it("takes the application's own client ids instead of the server's, until they are cleared", async () => {
      const { id, name } = await addApplication(app, { name: `org.example.${nextNumber()}` });
      const admin = await addAdministrator(app);
      const configure = async (google_client_ids: string[]) =>
        expectOk(await admin.put('/v1/rbac/application/settings', { app_id: id, google_client_ids }));
      const own = { aud: OTHER_CLIENT, azp: OTHER_CLIENT };

      await configure([OTHER_CLIENT]);
      await signIn(own, { app_id: name });
      expectFailure(await attempt({}, { app_id: name }), 403, 3004);
      expectFailure(await attempt(own), 403, 3004);

      await configure([]);
      await signIn({}, { app_id: name });
      expectFailure(await attempt(own, { app_id: name }), 403, 3004);
    });

    it('refuses with 1002 without a request if no client ids are set', async () => {
      const calls = google.countOf(GOOGLE_CERTS);
      const body = { id_token: await google.idToken(), app_id: 'pluto' };
      const message = 'Operation Forbidden: sign-in with Google is not configured for pluto';
      expectFailure(await bare.client.post(ROUTE, body), 403, 1002, message);
      expect(google.countOf(GOOGLE_CERTS)).toBe(calls);
    });
  });

  it.each<[string, unknown[]]>([
    ['id_token', [undefined, null, '', 1, true, ['x'], { a: 1 }, 'x\n', 'x\ud800', 'x'.repeat(8193)]],
    ['app_id', [undefined, null, '', ' ', 1, true, ['pluto'], {}, 'plu\nto', 'x'.repeat(101)]],
    ['device_id', ['d'.repeat(256), 'phone\n1', 7, true, ['phone'], {}]],
  ])('refuses a body whose %s is missing or wrong with 1001', async (field, values) => {
    const id_token = await google.idToken();
    for (const value of values)
      expectFailure(
        await send(id_token, { [field]: value }),
        400,
        1001,
        expect.stringMatching(`^Bad Request: ${field} must be`),
      );
  });

  describe('concurrently', () => {
    const accountsOf = async (sub: string): Promise<number[]> => {
      const { manager } = app.dataSource;
      const subjects = await manager.findBy(ProviderSubject, { subject: sub, loginType: 'google' });
      const identities = await manager.findBy(Identity, { id: In(subjects.map((row) => row.identityId)) });
      return identities.map(({ userId }) => userId);
    };

    it('20 first logins of one person make one account and 20 sessions', async () => {
      const person = newPerson();
      const users = await countUsers();
      const answers = await Promise.all(Array.from({ length: 20 }, () => attempt(person)));
      expect(countByCode(answers)).toEqual({ 0: 20 });
      const ids = new Set(answers.map(({ body }) => idOf((body as Tokens).access_token)));
      expect([...ids]).toEqual(await accountsOf(person.sub));
      expect(await countUsers()).toBe(users + 1);
      expect(await app.dataSource.manager.countBy(Session, { userId: In([...ids]) })).toBe(20);
    });

    it.each([1, 2, 3])('logins and the deletion of the account leave a consistent state (%d)', async () => {
      const person = newPerson();
      const first = await signIn(person);
      const users = await countUsers();
      const tokens = await Promise.all(Array.from({ length: 10 }, () => google.idToken(person)));
      const logins = tokens.slice(0, 5).map((token) => send(token));
      const deletion = app.client.post('/v1/user/delete', undefined, { token: first });
      logins.push(...tokens.slice(5).map((token) => send(token)));
      expectOk(await deletion, {});
      const answers = await Promise.all(logins);
      expect(countByCode(answers)).toEqual({ 0: 10 });

      const accounts = await accountsOf(person.sub);
      expect(accounts.length).toBeLessThanOrEqual(1);
      expect(accounts).not.toContain(idOf(first));
      expect(await countUsers()).toBe(users - 1 + accounts.length);
      for (const { body } of answers) {
        const { access_token } = body as Tokens;
        const answer = await info(access_token);
        if (accounts.includes(idOf(access_token))) expect(answer.body.sub).toBe(accounts[0]);
        else expectFailure(answer, 403, 3009);
      }
    });
  });

  it('creates a new account after the deletion of the old one, whose token stays refused', async () => {
    const person = newPerson();
    const old = await signIn(person);
    expectOk(await app.client.post('/v1/user/delete', undefined, { token: old }), {});
    const users = await countUsers();
    const token = await signIn(person);
    expect(idOf(token)).toBeGreaterThan(idOf(old));
    expect(await countUsers()).toBe(users + 1);
    expect((await info(token)).body.sub).toBe(idOf(token));
    expectFailure(await info(old), 403, 3009);
  });

  it('never logs a token, mail or id of Google', async () => {
    const person = newPerson();
    const tokens = await Promise.all([
      google.idToken(person),
      google.idToken({ ...person, exp: 1_700_000_000 }),
      google.idToken(person, { kid: 'unknown' }),
      google.idToken(person, { key: await strangersKey() }),
    ]);
    google.fail(GOOGLE_CERTS, 'not-json', 1);
    const statuses: number[] = [];
    for (const token of [...tokens, tokens[0], 'x'.repeat(8193)]) statuses.push((await send(token)).status);
    expect(statuses).toEqual([503, 403, 403, 403, 200, 400]);
    const secrets = [person.sub, person.email, ...tokens.flatMap((token) => token.split('.').slice(1))];
    for (const secret of secrets) expect(app.log()).not.toContain(secret);
  });
});

it('leaves the search index exact', () => expectSearchIndexIsExact(app));
