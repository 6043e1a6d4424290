import { User } from '../../src/users/user.entity.js';
import { addAccount, registration } from '../support/accounts.js';
import { openSession } from '../support/sessions.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { APPLE_KEYS, APPLE_TOKEN, FakeApple } from '../support/apple.js';
import { nextNumber, type Answer } from '../support/client.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { eventually } from '../support/eventually.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { FakeGoogle, GOOGLE_CERTS } from '../support/google.js';
import type { Fault, Fields } from '../support/provider-server.js';
import { addUser } from '../support/users.js';
import { FakeWechat, WECHAT_TOKEN, WECHAT_USERINFO } from '../support/wechat.js';

const BETWEEN_TESTS_MS = 30 * 60_000;
const GOOGLE_ROUTE = '/v1/user/login/google/mobile';
const MEGABYTE = 1024 * 1024;

let google: FakeGoogle;
let apple: FakeApple;
let wechat: FakeWechat;
let app: TestApp;
/** Another server on the same database. */
let twin: TestApp;
let clock = Date.now();
beforeAll(async () => {
  [google, apple, wechat] = await Promise.all([FakeGoogle.start(), FakeApple.start(), FakeWechat.start()]);
  const env = { ...google.env, ...apple.env, ...wechat.env };
  twin = await startTestApp({ env });
  // Errors of both go to the log of the later one: Nest's logger is global.
  app = await startTestApp({ env, on: twin });
});
// Keys are cached for ten minutes, so each test starts without any.
beforeEach(() => freezeClock((clock += BETWEEN_TESTS_MS)));
afterEach(() => {
  thawClock();
  shown.length = 0;
  for (const server of [google, apple, wechat]) {
    server.recover();
    server.calls.length = 0;
  }
  for (const server of [google, apple, wechat]) server.assertNothingUnexpected();
});
afterAll(async () => {
  await app.close();
  await Promise.all([google, apple, wechat].map((server) => server.close()));
});

const providers = {
  Google: { type: 'google', field: 'id_token', make: () => google.idToken(), refusal: 3004 },
  Apple: { type: 'apple', field: 'code', make: () => apple.code(), refusal: 3007 },
  WeChat: { type: 'wechat', field: 'code', make: () => wechat.code(wechat.person()), refusal: 3005 },
} as const;
type Provider = keyof typeof providers;

/** All requests to providers during a sign-in. */
const calls: [Provider, string][] = [
  ['Google', GOOGLE_CERTS],
  ['Apple', APPLE_TOKEN],
  ['Apple', APPLE_KEYS],
  ['WeChat', WECHAT_TOKEN],
  ['WeChat', WECHAT_USERINFO],
];

/** What the test has sent and the log must not contain. */
const shown: string[] = [];

/** A credential, with its field. */
async function credentialOf(provider: Provider): Promise<Fields> {
  const { field, make } = providers[provider];
  const credential = await make();
  shown.push(credential, ...credential.split('.').filter((part) => part.length > 20));
  return { [field]: credential };
}

function serverOf(provider: Provider) {
  return { Google: google, Apple: apple, WeChat: wechat }[provider];
}

async function logIn(provider: Provider, { client } = app): Promise<Answer> {
  const body = { app_id: 'pluto', ...(await credentialOf(provider)) };
  return client.post(`/v1/user/login/${providers[provider].type}/mobile`, body);
}

async function bind(token: string, provider: Provider, { client } = app): Promise<Answer> {
  const body = { type: providers[provider].type, ...(await credentialOf(provider)) };
  return client.post('/v1/user/binding', body, { token });
}

/** @returns the access token of an account with a mail and no more */
async function addSignedIn(): Promise<string> {
  return (await openSession(app, await addUser(app, {}), 'pluto')).accessToken;
}

async function boundTypes(token: string): Promise<string[]> {
  const answer = await app.client.get('/v1/user/info', { token });
  return (answer.body.bindings as { login_type: string }[]).map(({ login_type }) => login_type);
}

function countUsers(): Promise<number> {
  return app.dataSource.manager.count(User);
}

function expectUnavailable(answer: Answer, provider: Provider): void {
  expectFailure(answer, 503, 1010, `Service unavailable: ${provider} is currently unreachable`);
  expect(answer.headers.get('retry-after')).toBe('5');
}

/** The error lines in the log after the given length. */
function errorsSince(length: number): string[] {
  const lines = app.log().slice(length).trim().split('\n');
  return lines.filter((line) => line.includes('"level":"error"'));
}

/** Neither what was sent, by people and to providers, nor what providers have answered, marked `SPOILT`. */
function expectNoSecretInLog(): void {
  const notSecret = ['appid', 'client_id', 'grant_type'];
  const sent = [google, apple, wechat]
    .flatMap((server) => server.calls)
    .flatMap(({ parameters }) => Object.entries(parameters))
    .flatMap(([name, value]) =>
      notSecret.includes(name) || value === '' ? [] : [value, encodeURIComponent(value)],
    );
  const ours = apple.env.APPLE_PRIVATE_KEY.split('\n')[1]!;
  const log = app.log();
  const leaked = [...sent, ...shown, ours, 'SPOILT', 'cut o'].filter((secret) => log.includes(secret));
  expect(leaked).toEqual([]);
}

describe.each(calls)('when %s at %s', (provider, path) => {
  const html = { contentType: 'text/html', body: '<!doctype html><title>SPOILT</title>' };
  const nested = `{"keys":${'['.repeat(50_000)}"SPOILT"${']'.repeat(50_000)}}`;
  const elsewhere = { headers: { location: '/elsewhere' } };

  it.each<[string, Fault]>([
    ['hangs up', 'drop'],
    ['answers without end', 'huge'],
    ['redirects', 'redirect'],
    ['redirects a form as it is (307)', { status: 307, ...elsewhere }],
    ['answers cut JSON', 'not-json'],
    ['answers null', 'json-null'],
    ['answers a list', 'json-array'],
    ['answers a text', { body: '"SPOILT"' }],
    ['answers nothing', { body: '' }],
    ['answers a page', html],
    ['answers 500 with a page', { status: 500, ...html }],
    ['answers 503', { status: 503, body: { error: 'SPOILT' } }],
    ['answers 429', { status: 429, body: { error: 'SPOILT' } }],
    ['answers 403', { status: 403, body: { error: 'SPOILT' } }],
    ['answers 204', { status: 204 }],
    ['answers very deep JSON', { body: nested }],
  ])('%s, logins and bindings are answered 503 until it recovers', async (_what, fault) => {
    const server = serverOf(provider);
    const token = await addSignedIn();
    const users = await countUsers();
    const { bytesSent } = server;
    server.fail(path, fault);
    for (const request of [() => logIn(provider), () => bind(token, provider)]) {
      const [logged, asked] = [app.log().length, server.countOf(path)];
      expectUnavailable(await request(), provider);
      expect(errorsSince(logged)).toEqual([expect.stringContaining(`"message":"${provider}: `)]);
      expect(server.countOf(path)).toBe(asked + 1);
      expect(server.calls.at(-1)?.path).toBe(path);
    }
    expect(await countUsers()).toBe(users);
    expect(await boundTypes(token)).toEqual(['mail']);
    expect(server.bytesSent - bytesSent).toBeLessThan(20 * MEGABYTE);
    expectNoSecretInLog();
    server.assertNothingUnexpected();

    server.recover();
    expectOk(await logIn(provider));
    expectOk(await bind(token, provider), {});
    expect(await boundTypes(token)).toEqual(['mail', providers[provider].type]);
  });
});

describe('when all of them hang or respond slowly', () => {
  /**
   * The requests of a login and a binding with each provider until they wait; they wait for the same keys.
   */
  const rounds: [string[], Record<string, number>][] = [
    [
      [GOOGLE_CERTS, APPLE_KEYS, WECHAT_USERINFO],
      { [GOOGLE_CERTS]: 1, [APPLE_TOKEN]: 2, [APPLE_KEYS]: 1, [WECHAT_TOKEN]: 2, [WECHAT_USERINFO]: 2 },
    ],
    [[APPLE_TOKEN, WECHAT_TOKEN], { [APPLE_TOKEN]: 2, [WECHAT_TOKEN]: 2 }],
  ];

  async function timed<T>(work: Promise<T>): Promise<{ answer: T; ms: number }> {
    const start = performance.now();
    return { answer: await work, ms: performance.now() - start };
  }

  /** A login and a binding for each call, all in progress on that server and unanswered. */
  async function beginAll(ours: TestApp, token: string, fault: Fault) {
    const begun: Promise<{ provider: Provider; answer: Answer; ms: number }>[] = [];
    for (const [paths, asked] of rounds) {
      const before = calls.map(([provider, path]) => serverOf(provider).countOf(path));
      const failing = calls.filter(([, path]) => paths.includes(path));
      for (const [provider, path] of failing) serverOf(provider).fail(path, fault);
      for (const [provider] of failing)
        for (const request of [logIn(provider, ours), bind(token, provider, ours)])
          begun.push(timed(request).then((timing) => ({ provider, ...timing })));
      await eventually(() =>
        calls.every(
          ([provider, path], index) =>
            serverOf(provider).countOf(path) === before[index]! + (asked[path] ?? 0),
        ),
      );
      for (const server of [google, apple, wechat]) server.recover();
    }
    return begun;
  }

  it('503 is returned after five seconds, and other requests are served meanwhile', async () => {
    const account = await addAccount(app);
    const token = await addSignedIn();
    const users = await countUsers();
    const logged = app.log().length;
    let ended = 0;
    const begun = [...(await beginAll(app, token, 'hang')), ...(await beginAll(twin, token, 'slow-body'))];
    for (const request of begun) void request.then(() => ended++);

    const byPassword = { account: account.mail, password: account.password, app_id: 'pluto' };
    const others = [
      () => app.client.post('/v1/user/register', registration()),
      () => app.client.post('/v1/user/login/account', byPassword),
      () => app.client.get('/v1/user/info', { token }),
      () => app.client.put('/v1/user/info', { name: 'Patient' }, { token }),
    ];
    for (const other of others) {
      expectOk(await other());
    }
    expect(ended).toBe(0);

    const answers = await Promise.all(begun);
    for (const { provider, answer, ms } of answers) {
      expectUnavailable(answer, provider);
      expect(ms).toBeGreaterThan(4500);
    }
    const errors = errorsSince(logged);
    expect(errors).toHaveLength(answers.length);
    for (const [provider] of calls)
      expect(errors.filter((line) => line.includes(`"message":"${provider}: `))).toHaveLength(
        answers.filter((answer) => answer.provider === provider).length,
      );
    expect(await countUsers()).toBe(users + 1);
    expect(await boundTypes(token)).toEqual(['mail']);
    expectNoSecretInLog();

    for (const ours of [app, twin])
      for (const provider of ['Google', 'Apple', 'WeChat'] as const) expectOk(await logIn(provider, ours));
  });
});

describe.each([
  ['Google', GOOGLE_CERTS],
  ['Apple', APPLE_KEYS],
] as const)('a key set of %s at %s', (provider, path) => {
  type Set = { keys: Fields[] };
  const each =
    (change: Fields) =>
    ({ keys }: Set) => ({ keys: keys.map((key) => ({ ...key, ...change })) });

  // A fault of the provider, which says nothing about the token.
  it.each<[string, (set: Set) => Fields]>([
    ['without keys', () => ({})],
    ['whose keys are a text', () => ({ keys: 'x' })],
    ['whose keys are texts', () => ({ keys: ['x'] })],
    ['with null for a key', ({ keys }) => ({ keys: [...keys, null] })],
    ['whose key has no modulus', each({ n: undefined })],
    ['whose key has a invalid modulus', each({ n: '!' })],
    ['whose key has a modulus that is a number', each({ n: 5 })],
    ['whose key has a short modulus', each({ n: 'AQAB' })],
    ['whose key is said to be private', each({ d: 'AQAB' })],
  ])('%s is answered 503', async (_what, change) => {
    const server = serverOf(provider) as FakeGoogle | FakeApple;
    const users = await countUsers();
    const logged = app.log().length;
    server.fail(path, { body: change(server.keys.set) });
    expectUnavailable(await logIn(provider), provider);
    expect(errorsSince(logged)).toEqual([expect.stringContaining(`"message":"${provider}: `)]);
    expect(await countUsers()).toBe(users);

    server.recover();
    passSeconds(600);
    expectOk(await logIn(provider));
  });

  // The set is valid but does not match the token.
  it.each<[string, (set: Set) => Fields]>([
    ['that is empty', () => ({ keys: [] })],
    ['of other keys', each({ kid: 'another' })],
    ['of keys without a kid', each({ kid: undefined })],
    ['of keys without a type', each({ kty: undefined })],
    ['of keys of another type', each({ kty: 'EC', crv: 'P-256' })],
    ['of secrets', each({ kty: 'oct', k: 'AQAB' })],
    ['of keys for another algorithm', each({ alg: 'RS512' })],
    ['of keys for encryption', each({ use: 'enc' })],
    ['with the same key id twice', ({ keys }) => ({ keys: [...keys, ...keys] })],
    ['whose exponent is invalid', each({ e: 'AA' })],
  ])('%s refuses the token', async (_what, change) => {
    const server = serverOf(provider) as FakeGoogle | FakeApple;
    const users = await countUsers();
    server.fail(path, { body: change(server.keys.set) });
    expectFailure(await logIn(provider), 403, providers[provider].refusal);
    expect(await countUsers()).toBe(users);

    server.recover();
    passSeconds(600);
    expectOk(await logIn(provider));
  });
});

describe("Google's keys are fetched", () => {
  const callsSoFar = () => google.countOf(GOOGLE_CERTS);
  const send = (id_token: string) => app.client.post(GOOGLE_ROUTE, { app_id: 'pluto', id_token });
  const attemptUnknown = async () => send(await google.idToken({}, { kid: `unknown-${nextNumber()}` }));
  const signIn = async () => expectOk(await logIn('Google'));

  it('once for many logins, and again after ten minutes', async () => {
    await Promise.all(Array.from({ length: 10 }, signIn));
    passSeconds(599);
    await signIn();
    expect(callsSoFar()).toBe(1);
    passSeconds(1);
    await Promise.all(Array.from({ length: 10 }, signIn));
    expect(callsSoFar()).toBe(2);
  });

  it('again when a token has a new key id; tokens of withdrawn keys are refused then', async () => {
    await signIn();
    const old = await google.idToken();
    await google.rotate();
    passSeconds(60);
    await Promise.all(Array.from({ length: 5 }, signIn));
    expect(callsSoFar()).toBe(2);
    expectFailure(await send(old), 403, 3004);
  });

  it('so that a withdrawn key is valid for at most ten minutes', async () => {
    await signIn();
    const old = await google.idToken();
    await google.rotate();
    passSeconds(599);
    expectOk(await send(old));
    passSeconds(1);
    expectFailure(await send(old), 403, 3004);
  });

  it('immediately for a key that was published seconds ago', async () => {
    await signIn();
    await google.rotate();
    passSeconds(2);
    await signIn();
    expect(callsSoFar()).toBe(2);
  });

  it('at most three times a minute for unknown key ids', async () => {
    await signIn();
    const expectCalls = async (count: number) => {
      for (let attempt = 0; attempt < 6; attempt++) expectFailure(await attemptUnknown(), 403, 3004);
      expect(callsSoFar()).toBe(count);
    };
    await expectCalls(4);
    passSeconds(59);
    await expectCalls(4);
    passSeconds(1);
    await expectCalls(8);
    await signIn();
    expect(callsSoFar()).toBe(8);
  });

  it('at most three times a minute for them even if it fails, while known keys stay valid', async () => {
    await signIn();
    google.fail(GOOGLE_CERTS, { status: 503 });
    for (let attempt = 0; attempt < 3; attempt++) expectUnavailable(await attemptUnknown(), 'Google');
    for (let attempt = 0; attempt < 3; attempt++) expectFailure(await attemptUnknown(), 403, 3004);
    await signIn();
    expect(callsSoFar()).toBe(4);
  });
});

describe('a response with valid JSON but invalid content', () => {
  const anything = { toString: 1, valueOf: 1 };
  it.each<[Provider, string, Fields]>([
    ['Apple', APPLE_TOKEN, {}],
    ['Apple', APPLE_TOKEN, { id_token: 7 }],
    ['Apple', APPLE_TOKEN, { id_token: 'a.b.c', refresh_token: 7 }],
    ['WeChat', WECHAT_TOKEN, {}],
    ['WeChat', WECHAT_TOKEN, { openid: 'without-a-token' }],
    ['WeChat', WECHAT_TOKEN, { access_token: 'SPOILT', openid: 7 }],
    ['WeChat', WECHAT_TOKEN, { access_token: 'SPOILT', openid: 'a b' }],
    ['WeChat', WECHAT_TOKEN, { access_token: 'SPOILT', openid: 'o'.repeat(129) }],
    ['WeChat', WECHAT_TOKEN, { errcode: 'SPOILT' }],
    ['WeChat', WECHAT_TOKEN, { errcode: anything }],
    ['WeChat', WECHAT_USERINFO, {}],
    ['WeChat', WECHAT_USERINFO, { openid: 'another' }],
    ['WeChat', WECHAT_USERINFO, { errcode: null }],
  ])('of %s at %s is answered 503: %j', async (provider, path, body) => {
    const users = await countUsers();
    const logged = app.log().length;
    serverOf(provider).fail(path, { body });
    expectUnavailable(await logIn(provider), provider);
    expect(errorsSince(logged)).toEqual([expect.stringContaining(`"message":"${provider}: `)]);
    expect(await countUsers()).toBe(users);
    expectNoSecretInLog();
  });
});
