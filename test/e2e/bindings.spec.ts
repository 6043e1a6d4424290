import { AppleGrant } from '../../src/auth/providers/apple/apple-grant.entity.js';
import { OneTimeToken } from '../../src/auth/links/one-time-token.entity.js';
import {
  Identity,
  providerTypes,
  type LoginType,
  type ProviderType,
} from '../../src/users/identity.entity.js';
import { ProviderSubject } from '../../src/users/provider-subject.entity.js';
import { User } from '../../src/users/user.entity.js';
import { expectSearchIndexIsExact } from '../support/search-index.js';
import { signedIn } from '../support/accounts.js';
import { firstAdministrator } from '../support/administration.js';
import { openSession } from '../support/sessions.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { FakeApple } from '../support/apple.js';
import { addApplication, type TestApplication } from '../support/applications.js';
import { nextNumber, type Answer } from '../support/client.js';
import { environmentOf, runPluto } from '../support/command-line.js';
import { countByCode, expectFailure, expectOk } from '../support/expectations.js';
import { FakeGoogle, GOOGLE_IOS_CLIENT } from '../support/google.js';
import { nowInSeconds } from '../support/provider-server.js';
import { decodeToken } from '../support/tokens.js';
import { addUser } from '../support/users.js';
import { FakeWechat, WECHAT_WEB_APP, type WechatPerson } from '../support/wechat.js';

const ROUNDS = 20;

let google: FakeGoogle;
let apple: FakeApple;
let wechat: FakeWechat;
let app: TestApp;
/** Another server on the same database, without configured providers. */
let bare: TestApp;
let shop: TestApplication;
const providers = () => [google, apple, wechat];

// Passport has one strategy of a name in a process: the server that was started last checks all tokens. So
// both are there from the first test to the last.
beforeAll(async () => {
  [google, apple, wechat] = await Promise.all([FakeGoogle.start(), FakeApple.start(), FakeWechat.start()]);
  app = await startTestApp({ env: { ...google.env, ...apple.env, ...wechat.env } });
  bare = await startTestApp({
    on: app,
    env: { GOOGLE_JWKS_URL: google.env.GOOGLE_JWKS_URL },
    sendMails: false,
  });
  shop = await addApplication(app, { name: 'org.example.shop', roles: { customer: ['shop.buy'] } });
});
afterEach(() => {
  for (const provider of providers()) {
    provider.recover();
    provider.assertNothingUnexpected();
  }
});
afterAll(async () => {
  await bare.stop();
  await app.close();
  await Promise.all(providers().map((provider) => provider.close()));
});

/** A person with an account at a provider. */
interface Person {
  type: ProviderType;
  binding: { login_type: ProviderType; mail: string };
  /** A new credential, as an app sends it. */
  prove: () => Promise<{ id_token: string } | { code: string }>;
}

function newPerson(type: ProviderType): Person {
  if (type === 'wechat') return wechatPerson(wechat.person());
  const number = nextNumber();
  const claims = { sub: `${type}-${number}`, email: `person${number}@${type}.example` };
  const prove = async () =>
    type === 'google' ? { id_token: await google.idToken(claims) } : { code: apple.code(claims) };
  return { type, binding: { login_type: type, mail: claims.email }, prove };
}

function wechatPerson(person: WechatPerson): Person {
  const prove = () => Promise.resolve({ code: wechat.code(person) });
  return { type: 'wechat', binding: { login_type: 'wechat', mail: '' }, prove };
}

function bind(token: string, body: unknown, server = app): Promise<Answer> {
  return server.client.post('/v1/user/binding', body, { token });
}

async function bindPerson(token: string, { type, prove }: Person, server = app): Promise<Answer> {
  return bind(token, { type, ...(await prove()) }, server);
}

function unbind(token: string, type: unknown, server = app): Promise<Answer> {
  return server.client.post('/v1/user/unbinding', { type }, { token });
}

async function trySignIn({ type, prove }: Person, app_id = 'pluto'): Promise<Answer> {
  return app.client.post(`/v1/user/login/${type}/mobile`, { ...(await prove()), app_id });
}

/** Signs in at the provider. */
async function signIn(person: Person, app_id = 'pluto'): Promise<{ token: string; id: number }> {
  const answer = await trySignIn(person, app_id);
  expectOk(answer);
  return { token: answer.body.access_token as string, id: accountOf(answer) };
}

function accountOf(answer: Answer): number {
  return decodeToken(answer.body.access_token as string).claims.sub;
}

async function infoOf(token: string): Promise<Record<string, unknown>> {
  return (await app.client.get('/v1/user/info', { token })).body as Record<string, unknown>;
}

async function loginTypesOf(token: string): Promise<string[]> {
  return ((await infoOf(token)).bindings as Person['binding'][]).map(({ login_type }) => login_type);
}

/** An account with a confirmed mail and no password, signed in. */
async function mailAccount(application?: TestApplication) {
  const mail = `owner${nextNumber()}@example.com`;
  const change = { identities: [{ loginType: 'mail' as const, mail }] };
  const id = await addUser(app, { ...change, ...(application && { applicationId: application.id }) });
  const { accessToken: token, refreshToken } = await openSession(app, id, application?.name ?? 'pluto');
  return { id, mail, token, refreshToken };
}

/** An account with exactly those ways to sign in, signed in. */
async function accountWith(first: LoginType, ...others: ProviderType[]) {
  const account = first === 'mail' ? await mailAccount() : await signIn(newPerson(first));
  for (const type of others) expectOk(await bindPerson(account.token, newPerson(type)), {});
  return account;
}

describe('POST /v1/user/binding', () => {
  it.each(providerTypes)('lets the account sign in with %s, and changes nothing else', async (type) => {
    const { token, account } = await signedIn(app);
    const before = await infoOf(token);
    const person = newPerson(type);
    expectOk(await bindPerson(token, person), {});

    const after = { ...before, bindings: [{ login_type: 'mail', mail: account.mail }, person.binding] };
    expect(await infoOf(token)).toEqual(after);
    const there = await signIn(person);
    expect(there.id).toBe(before.sub);
    expect(await infoOf(there.token)).toEqual(after);
    expectOk(await app.client.post('/v1/user/login/account', { ...account, account: account.mail }));
  });

  it('adds Apple and WeChat to an account created with Google', async () => {
    const people = [newPerson('google'), newPerson('apple'), newPerson('wechat')] as const;
    const { token, id } = await signIn(people[0]);
    const before = await infoOf(token);
    expectOk(await bindPerson(token, people[1]), {});
    expectOk(await bindPerson(token, people[2]), {});

    const bindings = people.map(({ binding }) => binding);
    expect(await infoOf(token)).toEqual({ ...before, bindings });
    expect(before).toMatchObject({ mail: '', verified: true, is_password_set: false });
    for (const person of people) expect((await signIn(person)).id).toBe(id);

    const admin = await firstAdministrator(app);
    const { body } = await admin.get(`/v1/user/search?name=${String(before.user_id)}`);
    expect(body.users).toMatchObject([{ id, bindings }]);
  });

  it.each(providerTypes)('refuses a second %s with 2007 and does not ask the provider', async (type) => {
    const [mine, other] = [newPerson(type), newPerson(type)];
    const [{ token, id }, elsewhere] = [await mailAccount(), await mailAccount()];
    expectOk(await bindPerson(token, mine), {});
    const countCalls = () => providers().flatMap(({ calls }) => calls).length;
    const before = countCalls();
    const proofs = { mine: await mine.prove(), other: await other.prove() };
    for (const proof of Object.values(proofs))
      expectFailure(await bind(token, { type, ...proof }), 403, 2007);
    expect(countCalls()).toBe(before);

    // The codes are still valid.
    const login = { ...proofs.mine, app_id: 'pluto' };
    expect(accountOf(await app.client.post(`/v1/user/login/${type}/mobile`, login))).toBe(id);
    expectOk(await bind(elsewhere.token, { type, ...proofs.other }), {});
  });

  it.each(providerTypes)('refuses a person at %s who already has an account with 2007', async (type) => {
    const [came, bound] = [newPerson(type), newPerson(type)];
    const owners = [await signIn(came), await mailAccount()] as const;
    expectOk(await bindPerson(owners[1].token, bound), {});
    const { token } = await mailAccount();
    for (const person of [came, bound]) expectFailure(await bindPerson(token, person), 403, 2007);

    expect(await loginTypesOf(token)).toEqual(['mail']);
    expect((await signIn(came)).id).toBe(owners[0].id);
    expect((await signIn(bound)).id).toBe(owners[1].id);
  });

  it('refuses a WeChat person whose union id or openid has an account with 2007, and stores nothing', async () => {
    const [early, union] = [wechat.person({ unionid: undefined }), wechat.person()];
    const owners = [await signIn(wechatPerson(early)), await signIn(wechatPerson(union))] as const;
    const before = await app.dataSource.manager.count(ProviderSubject);
    const { token, id } = await mailAccount();
    early.unionid = wechat.person().unionid;
    const sameUnion = wechatPerson(wechat.person({ unionid: union.unionid }));
    expectFailure(await bindPerson(token, wechatPerson(early)), 403, 2007);
    expectFailure(await bindPerson(token, sameUnion), 403, 2007);
    early.unionid = union.unionid;
    expectFailure(await bindPerson(token, wechatPerson(early)), 403, 2007);

    expect(await app.dataSource.manager.count(ProviderSubject)).toBe(before);
    expect(await app.dataSource.manager.countBy(Identity, { userId: id })).toBe(1);
    expect((await signIn(wechatPerson(early))).id).toBe(owners[0].id);
    expect((await signIn(sameUnion)).id).toBe(owners[1].id);
  });

  it.each(providerTypes)('binds a person at %s again in another application', async (type) => {
    const person = newPerson(type);
    const [here, there] = [await signIn(person), await mailAccount(shop)];
    expectOk(await bindPerson(there.token, person), {});
    expect((await signIn(person, shop.name)).id).toBe(there.id);
    expect((await signIn(person)).id).toBe(here.id);
  });

  const usedUp = async (person: Person) => {
    const proof = await person.prove();
    expectOk(await bind((await mailAccount()).token, { type: person.type, ...proof }), {});
    return proof;
  };
  it.each<[string, ProviderType, number, () => object | Promise<object>]>([
    ['junk', 'google', 3004, () => ({ id_token: 'junk' })],
    ['an expired token', 'google', 3004, () => idTokenWith({ exp: nowInSeconds() - 120 })],
    ["another app's token", 'google', 3004, () => idTokenWith({ aud: 'other', azp: 'other' })],
    ["another app's token, asked for by ours", 'google', 3004, () => idTokenWith({ aud: 'other' })],
    ['a code that it never gave out', 'apple', 3007, () => ({ code: 'c.0.mrxv.junk' })],
    ["another app's code", 'apple', 3007, () => ({ code: apple.code({ clientId: 'com.example.other' }) })],
    ['a used code', 'apple', 3007, () => usedUp(newPerson('apple'))],
    ['a code that it never gave out', 'wechat', 3005, () => ({ code: '0junk' })],
    ["another app's code", 'wechat', 3005, () => ({ code: wechat.code(wechat.person(), WECHAT_WEB_APP) })],
    ['a used code', 'wechat', 3005, () => usedUp(newPerson('wechat'))],
  ])('refuses %s for %s with %i and binds nothing', async (_, type, code, proof) => {
    const { token } = await mailAccount();
    expectFailure(await bind(token, { type, ...(await proof()) }), 403, code);
    expect(await loginTypesOf(token)).toEqual(['mail']);
    expectOk(await bindPerson(token, newPerson(type)), {});
  });
  const idTokenWith = async (claims: object) => ({ id_token: await google.idToken({ ...claims }) });

  it('answers 1010 while the provider is down and binds nothing', async () => {
    const { token } = await mailAccount();
    apple.fail('*', 'drop');
    wechat.fail('*', 'not-json');
    for (const type of ['apple', 'wechat'] as const)
      expectFailure(await bindPerson(token, newPerson(type)), 503, 1010);
    expect(await loginTypesOf(token)).toEqual(['mail']);
  });

  it('accepts null for fields of other types, and ignores unknown fields', async () => {
    const { token } = await signIn(newPerson('google'));
    const more = { user_id: 1, app_id: shop.name, name: 'Not me', device_id: 5 };
    const proof = await newPerson('apple').prove();
    expectOk(await bind(token, { type: 'apple', ...proof, id_token: null, mail: null, ...more }), {});
    expect(await loginTypesOf(token)).toEqual(['google', 'apple']);
  });

  const text = 'something';
  const odd = [undefined, null, '', 5, ['a'], {}, 'x'.repeat(8193)];
  const faults: Record<string, object[]> = {
    id_token: odd.map((id_token) => ({ type: 'google', code: text, id_token })),
    code: odd.flatMap((code) => ['apple', 'wechat'].map((type) => ({ type, id_token: text, code }))),
    mail: [
      ...odd.map((mail) => ({ type: 'mail', code: text, mail })),
      { type: 'apple', code: text, mail: 5 },
    ],
    type: [...odd, 'facebook', 'Apple', 'constructor', ['apple']].map((type) => ({ type, code: text })),
  };
  it.each(Object.entries(faults))('refuses a wrong %s with 1001 and names it', async (field, bodies) => {
    const { token } = await mailAccount();
    const message = expect.stringMatching(`^Bad Request: ${field} (must be|is required)`);
    for (const body of bodies) expectFailure(await bind(token, body), 400, 1001, message);
  });
});

describe('POST /v1/user/unbinding', () => {
  it.each(['mail', ...providerTypes])('refuses %s with 2008 where it is not bound', async (type) => {
    const { token } = type === 'mail' ? await signIn(newPerson('google')) : await mailAccount();
    expectFailure(await unbind(token, type), 403, 2008);
  });

  it('refuses an unknown type with 1001', async () => {
    const { token } = await mailAccount();
    const message = expect.stringMatching('^Bad Request: type must be');
    for (const type of [undefined, null, '', 'facebook', 'MAIL', '__proto__', ['mail'], {}, 0])
      expectFailure(await unbind(token, type), 400, 1001, message);
  });

  it('refuses to remove the only way to sign in with 2010', async () => {
    const { token } = await mailAccount();
    expectFailure(await unbind(token, 'mail'), 403, 2010);
    for (const type of providerTypes) {
      const sole = await signIn(newPerson(type));
      expectFailure(await unbind(sole.token, type), 403, 2010);
      expectOk(await bind(sole.token, { type: 'mail', mail: `pending${nextNumber()}@example.com` }), {});
      expectFailure(await unbind(sole.token, type), 403, 2010);
      expect(await loginTypesOf(sole.token)).toEqual([type]);
    }
  });

  it.each([
    ['mail', ['mail', 'google'], 'google'],
    ['google', ['mail', 'google'], 'mail'],
    ['apple', ['wechat', 'apple'], 'wechat'],
    ['wechat', ['wechat', 'apple'], 'apple'],
  ] as const)('removes %s of %j, and then not %s', async (type, [first, second], other) => {
    const { token } = await accountWith(first, second);
    expectOk(await unbind(token, type), {});
    expect(await loginTypesOf(token)).toEqual([other]);
    expectFailure(await unbind(token, other), 403, 2010);
    expectFailure(await unbind(token, type), 403, 2008);
  });

  it.each(providerTypes)('unbinds a person at %s, who then has no account', async (type) => {
    const { token, id } = await mailAccount();
    for (const next of ['signs in', 'is bound elsewhere'] as const) {
      const person = newPerson(type);
      expectOk(await bindPerson(token, person), {});
      expectOk(await unbind(token, type), {});
      const elsewhere = next === 'signs in' ? await signIn(person) : await mailAccount();
      if (next === 'is bound elsewhere') expectOk(await bindPerson(elsewhere.token, person), {});
      expect(elsewhere.id).not.toBe(id);
      expect((await signIn(person)).id).toBe(elsewhere.id);
    }
    expect(await loginTypesOf(token)).toEqual(['mail']);
  });

  it('keeps the sessions that came in otherwise', async () => {
    const { token, refreshToken, id } = await mailAccount();
    expectOk(await bindPerson(token, newPerson('google')), {});
    expectOk(await unbind(token, 'google'), {});
    expect((await infoOf(token)).sub).toBe(id);
    const refresh = { refresh_token: refreshToken, app_id: 'pluto' };
    expectOk(await app.client.post('/v1/token/refresh', refresh));
  });

  it('disables sign-in with mail and password until the mail is bound and confirmed again', async () => {
    const { token, account } = await signedIn(app);
    const { mail, user_id, password, app_id } = account;
    const login = (name: string) =>
      app.client.post('/v1/user/login/account', { account: name, password, app_id });
    expectOk(await bindPerson(token, newPerson('google')), {});
    expectOk(await unbind(token, 'mail'), {});
    expect(await infoOf(token)).toMatchObject({ mail: '', verified: true, is_password_set: true });

    const countLinks = () => app.dataSource.manager.count(OneTimeToken);
    const before = await countLinks();
    for (const name of [mail, user_id]) expectFailure(await login(name), 403, 3001);
    expectOk(await app.client.post('/v1/user/password/reset/mail', { mail, app_id }), {});
    for (const by of [{ mail }, { user_id }])
      expectOk(await app.client.post('/v1/user/register/verify/mail', { ...by, app_id }), {});
    expect(await countLinks()).toBe(before);

    expectOk(await bind(token, { type: 'mail', mail }), {});
    for (const name of [mail, user_id]) expectFailure(await login(name), 403, 2003);
    await app.client.submit(await app.mailbox.linkTo(mail));
    for (const name of [mail, user_id]) expectOk(await login(name));
  });
});

describe.each(['/v1/user/binding', '/v1/user/unbinding'])('POST %s', (path) => {
  it('is refused without a token, with an invalid token, and for a deleted account', async () => {
    const { token } = await mailAccount();
    expectOk(await app.client.post('/v1/user/delete', undefined, { token }), {});
    const body = { type: 'mail', mail: 'a@example.com' };
    expectFailure(await app.client.post(path, body), 401, 1003);
    expectFailure(await app.client.post(path, body, { token: 'junk' }), 403, 3003);
    expectFailure(await app.client.post(path, body, { token }), 403, 3009);
  });
});

describe('without a configured provider', () => {
  it.each(providerTypes)('POST /v1/user/binding refuses %s with 1002', async (type) => {
    const { token } = await mailAccount();
    const message = expect.stringMatching(/^Operation Forbidden: sign-in with \w+ is not configured/);
    expectFailure(await bindPerson(token, newPerson(type), bare), 403, 1002, message);
    expect(await loginTypesOf(token)).toEqual(['mail']);
  });

  it('POST /v1/user/unbinding does not count it as a way to sign in', async () => {
    const { token } = await accountWith('mail', ...providerTypes);
    expectFailure(await unbind(token, 'mail', bare), 403, 2010);
    expectOk(await unbind(token, 'google', bare), {});
    expectOk(await unbind(token, 'mail'), {});
    for (const type of ['apple', 'wechat']) expectFailure(await unbind(token, type, bare), 403, 2010);
    expectOk(await unbind(token, 'apple'), {});
  });

  it('an application counts its own configured providers, and not cleared ones', async () => {
    const admin = await firstAdministrator(bare);
    const set = async (change: object) =>
      expectOk(await admin.put('/v1/rbac/application/settings', { app_id: shop.id, ...change }));
    const [{ token }, other] = [await mailAccount(shop), await mailAccount(shop)];
    await set({ google_client_ids: [GOOGLE_IOS_CLIENT] });
    for (const one of [token, other.token]) expectOk(await bindPerson(one, newPerson('google'), bare), {});
    expectOk(await unbind(token, 'mail', bare), {});
    await set({ google_client_ids: [] });
    expectFailure(await unbind(other.token, 'mail', bare), 403, 2010);

    expectOk(await bindPerson(other.token, newPerson('wechat')), {});
    await set({ wechat_web_app_id: WECHAT_WEB_APP, wechat_web_app_secret: 'secret' });
    expectOk(await unbind(other.token, 'mail', bare), {});
    await set({ wechat_web_app_id: '', wechat_web_app_secret: '' });
  });
});

describe(`at the same moment, ${ROUNDS} times`, () => {
  const race = (name: string, round: (type: ProviderType) => Promise<void>) =>
    it(name, async () => {
      for (let count = 0; count < ROUNDS; count++) await round(providerTypes[count % providerTypes.length]!);
    });

  race('unbinding the only two ways in leaves one', async (type) => {
    const { token } = await accountWith('mail', type);
    const answers = await Promise.all([unbind(token, 'mail'), unbind(token, type)]);
    expect(countByCode(answers)).toEqual({ 0: 1, 2010: 1 });
    expect(await loginTypesOf(token)).toEqual([answers[0].code === 0 ? type : 'mail']);
  });

  race('binding one person to two accounts succeeds for one', async (type) => {
    const [person, ...accounts] = [newPerson(type), await mailAccount(), await mailAccount()] as const;
    const answers = await Promise.all(accounts.map(({ token }) => bindPerson(token, person)));
    expect(countByCode(answers)).toEqual({ 0: 1, 2007: 1 });
    const winner = answers.findIndex(({ code }) => code === 0);
    expect((await signIn(person)).id).toBe(accounts[winner]!.id);
    expect(await loginTypesOf(accounts[1 - winner]!.token)).toEqual(['mail']);
  });

  race('binding two people to one account takes one', async (type) => {
    const people = [newPerson(type), newPerson(type)];
    const { token, id } = await mailAccount();
    const answers = await Promise.all(people.map((person) => bindPerson(token, person)));
    expect(countByCode(answers)).toEqual({ 0: 1, 2007: 1 });
    for (const [index, person] of people.entries())
      expect((await signIn(person)).id === id).toBe(answers[index]!.code === 0);
  });

  race('binding a person and their first login agree on the account', async (type) => {
    const person = newPerson(type);
    const { token, id } = await mailAccount();
    const [bound, login] = await Promise.all([bindPerson(token, person), trySignIn(person)]);
    expectOk(login);
    expect(bound.code).toBe(accountOf(login) === id ? 0 : 2007);
    expect((await signIn(person)).id).toBe(accountOf(login));
  });

  race('unbinding a person and their login leave them one account', async (type) => {
    const person = newPerson(type);
    const { token, id } = await mailAccount();
    expectOk(await bindPerson(token, person), {});
    const [unbound, login] = await Promise.all([unbind(token, type), trySignIn(person)]);
    expectOk(unbound, {});
    expectOk(login);
    const [first, later] = [accountOf(login), (await signIn(person)).id];
    expect(later === id).toBe(false);
    expect(later === first).toBe(first !== id);
    expect(await loginTypesOf(token)).toEqual(['mail']);
  });

  race('binding a person and deleting the account leave nothing behind', async (type) => {
    const tables = [User, Identity, ProviderSubject, AppleGrant];
    const before = await Promise.all(tables.map((table) => app.dataSource.manager.count(table)));
    const { token } = await mailAccount();
    const remove = () => app.client.post('/v1/user/delete', undefined, { token });
    const [bound, removed] = await Promise.all([bindPerson(token, newPerson(type)), remove()]);
    expectOk(removed, {});
    expect([0, 3009]).toContain(bound.code);
    // A consent that was kept stays until it is revoked at Apple.
    if (type === 'apple' && bound.code === 0) before[3]!++;
    expect(await Promise.all(tables.map((table) => app.dataSource.manager.count(table)))).toEqual(before);
  });
});

describe('pluto', () => {
  it('supports accounts without a mail: role assign by handle, admin list', async () => {
    const { token } = await signIn(newPerson('google'));
    const { sub, user_id, name } = (await infoOf(token)) as { sub: number; user_id: string; name: string };
    const place = { env: environmentOf(app), cwd: app.dataDir };
    const assigned = await runPluto(['role', 'assign', 'pluto', 'admin', user_id], place);
    expect(assigned).toMatchObject({ code: 0, stdout: `${user_id} now has the role admin\n`, stderr: '' });
    const { code, stdout } = await runPluto(['admin', 'list'], place);
    expect([code, stdout.split('\n')]).toEqual([
      0,
      expect.arrayContaining([expect.stringMatching(new RegExp(`^${sub} +${user_id} +${name} +\\d{4}-`))]),
    ]);
  });
});

it('leaves the search index exact', () => expectSearchIndexIsExact(app));
