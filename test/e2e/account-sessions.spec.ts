import { RefreshToken } from '../../src/token/refresh-token.entity.js';
import { addAccount, login, type TestAccount, type Tokens } from '../support/accounts.js';
import { firstAdministrator } from '../support/administration.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { Browser } from '../support/browser.js';
import type { Answer } from '../support/client.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { addClient, getTokens } from '../support/oauth.js';
import { readAudit } from '../support/audit.js';
import { decodeToken } from '../support/tokens.js';

let app: TestApp;
let other: TestApp;
beforeAll(async () => {
  app = await startTestApp();
  other = await startTestApp({ on: app });
});
beforeEach(() => freezeClock());
afterEach(thawClock);
afterAll(async () => {
  await other.stop();
  await app.close();
});

interface ShownSession {
  id: string;
  kind: string;
  device_id: string;
  user_agent: string;
  client: string;
  amr: string[];
  created_at: number;
  last_used_at: number;
  current: boolean;
}

const now = () => Math.floor(Date.now() / 1000);
const sidOf = ({ access_token }: Pick<Tokens, 'access_token'>) => decodeToken(access_token).claims.sid;
const info = (tokens: Pick<Tokens, 'access_token'>, on = app) =>
  on.client.get('/v1/user/info', { token: tokens.access_token });
const refresh = ({ refresh_token }: Tokens, app_id = 'pluto') =>
  app.client.post('/v1/token/refresh', { refresh_token, app_id });
const logout = (body?: object, token?: string, on = app): Promise<Answer> =>
  on.client.post('/v1/user/logout', body, token === undefined ? {} : { token });

async function list({ access_token: token }: Tokens): Promise<ShownSession[]> {
  const answer = await app.client.get('/v1/user/session/list', { token });
  expectOk(answer);
  return answer.body.sessions as ShownSession[];
}

async function ended(tokens: Tokens): Promise<boolean> {
  const [one, two] = await Promise.all([info(tokens), info(tokens, other)]);
  expect(one.code).toBe(two.code);
  return one.code === 3009;
}

async function signInOnPages({ mail, password }: TestAccount): Promise<Browser> {
  const browser = new Browser(app.url);
  const page = await browser.get('/web/login?app_id=pluto');
  expect((await browser.submit(page.forms[0], { account: mail, password })).status).toBe(302);
  return browser;
}

describe('GET /v1/user/session/list', () => {
  it('shows where the account is signed in, newest use first', async () => {
    const account = await addAccount(app);
    const first = await login(app, account, { device_id: 'phone-1' });
    const at = now();
    passSeconds(10);
    await signInOnPages(account);
    passSeconds(10);
    const client = await addClient(app);
    const body = { grant_type: 'password', user: account.mail, password: account.password, app_id: 'pluto' };
    const ofClient = await getTokens(app, client, body);
    passSeconds(10);
    const second = (await refresh(first)).body as Tokens;
    const sessions = await list(second);
    expect(sessions).toEqual([
      {
        id: sidOf(first),
        kind: 'app',
        device_id: 'phone-1',
        user_agent: expect.any(String),
        address: expect.stringMatching(/127\.0\.0\.1$/),
        client: '',
        amr: ['pwd'],
        created_at: at,
        last_used_at: at + 30,
        current: true,
      },
      expect.objectContaining({
        id: sidOf(ofClient),
        kind: 'client',
        client: client.key,
        created_at: at + 20,
        current: false,
      }),
      expect.objectContaining({
        id: expect.stringMatching(/^page-\d+$/),
        kind: 'page',
        client: '',
        amr: ['pwd'],
        created_at: at + 10,
        current: false,
      }),
    ]);
    expect(sessions.every(({ user_agent }) => user_agent !== '')).toBe(true);
  });

  it('shows nothing of others, and no session that has expired', async () => {
    const [ann, ben] = [await addAccount(app), await addAccount(app)];
    const expired = await login(app, ann);
    await app.dataSource.manager.update(RefreshToken, { sessionId: sidOf(expired) }, { expiresAt: now() });
    const tokens = await login(app, ann);
    await login(app, ben);
    expect((await list(tokens)).map(({ id }) => id)).toEqual([sidOf(tokens)]);
  });

  it('shows the hundred that were used last', async () => {
    const account = await addAccount(app);
    const oldest = await login(app, account);
    passSeconds(1);
    let tokens = oldest;
    for (let number = 0; number < 100; number++) tokens = await login(app, account);
    const sessions = await list(tokens);
    expect([sessions.length, sessions.some(({ id }) => id === sidOf(oldest))]).toEqual([100, false]);
  });

  it.each(['GET /v1/user/session/list', 'POST /v1/user/session/end', 'POST /v1/user/session/end-others'])(
    '%s refuses an OAuth client with 1002, and strangers with 1003',
    async (route) => {
      const [method, path] = route.split(' ') as [string, string];
      const account = await addAccount(app);
      const body = {
        grant_type: 'password',
        user: account.mail,
        password: account.password,
        app_id: 'pluto',
      };
      const { access_token: token } = await getTokens(app, await addClient(app), body);
      const send = (options: object) =>
        app.client.request(method, path, { ...options, ...(method === 'POST' && { body: { id: 'x' } }) });
      expectFailure(await send({ token }), 403, 1002);
      expectFailure(await send({}), 401, 1003);
    },
  );
});

describe('POST /v1/user/session/end', () => {
  const end = ({ access_token: token }: Tokens, id: unknown) =>
    app.client.post('/v1/user/session/end', { id }, { token });

  it('ends a session on every instance at once, and no other', async () => {
    const account = await addAccount(app);
    const [here, there, third] = [
      await login(app, account),
      await login(app, account),
      await login(app, account),
    ];
    expectOk(await end(here, sidOf(there)), {});
    expect([await ended(there), await ended(here), await ended(third)]).toEqual([true, false, false]);
    expectFailure(await refresh(there), 403, 3002);
    expectFailure(await end(here, sidOf(there)), 403, 2008);
  });

  it('ends the session that asks', async () => {
    const tokens = await login(app, await addAccount(app));
    expectOk(await end(tokens, sidOf(tokens)), {});
    expect(await ended(tokens)).toBe(true);
  });

  it('ends a browser session', async () => {
    const account = await addAccount(app);
    const tokens = await login(app, account);
    const browser = await signInOnPages(account);
    const isSignedIn = async () => (await browser.get('/web/login?app_id=pluto')).forms.length === 0;
    const page = (await list(tokens)).find(({ kind }) => kind === 'page')!;
    const before = await isSignedIn();
    expectOk(await end(tokens, page.id), {});
    expect((await list(tokens)).map(({ kind }) => kind)).toEqual(['app']);
    expect(await isSignedIn()).toBe(before && false);
  });

  it.each(['app', 'page'])(
    'refuses a session of another account with 2008, and leaves it: %s',
    async (kind) => {
      const [ann, ben] = [await addAccount(app), await addAccount(app)];
      const [own, foreign] = [await login(app, ann), await login(app, ben)];
      await signInOnPages(ben);
      const { id } = (await list(foreign)).find((session) => session.kind === kind)!;
      expectFailure(await end(own, id), 403, 2008);
      expect((await list(foreign)).map((session) => session.id)).toContain(id);
    },
  );

  it.each(['nothing', 'page-0', 'page-99999999999', 'page-x', "' OR 1=1"])(
    'refuses an id that no session has: %j',
    async (id) => {
      const answer = await end(await login(app, await addAccount(app)), id);
      expect([answer.status, answer.code]).toEqual(id.includes(' ') ? [400, 1001] : [403, 2008]);
    },
  );

  it.each([undefined, null, '', 7, ['x'], 'x'.repeat(65)])('refuses %j with 1001', async (id) => {
    expectFailure(await end(await login(app, await addAccount(app)), id), 400, 1001);
  });

  it('of one session by many requests succeeds once', async () => {
    const account = await addAccount(app);
    const [here, there] = [await login(app, account), await login(app, account)];
    const answers = await Promise.all(Array.from({ length: 6 }, () => end(here, sidOf(there))));
    expect(answers.map(({ code }) => code).sort()).toEqual([0, 2008, 2008, 2008, 2008, 2008]);
  });
});

describe('POST /v1/user/session/end-others', () => {
  it('ends all but the one that asks, and says how many', async () => {
    const account = await addAccount(app);
    const [here, one, two] = [
      await login(app, account),
      await login(app, account),
      await login(app, account),
    ];
    await signInOnPages(account);
    const stranger = await login(app, await addAccount(app));
    const endOthers = () =>
      app.client.post('/v1/user/session/end-others', undefined, { token: here.access_token });
    expectOk(await endOthers(), { ended: 3 });
    expect(await Promise.all([here, one, two, stranger].map(ended))).toEqual([false, true, true, false]);
    expect(await list(here)).toHaveLength(1);
    expectOk(await endOthers(), { ended: 0 });
  });
});

describe('POST /v1/user/logout', () => {
  it('ends the session of a refresh token, and no other', async () => {
    const account = await addAccount(app);
    const [here, there] = [await login(app, account), await login(app, account)];
    expectOk(await logout({ refresh_token: here.refresh_token }), {});
    expect([await ended(here), await ended(there)]).toEqual([true, false]);
    expectFailure(await refresh(here), 403, 3002);
  });

  it('ends the session of the access token in the header, also without a body and on another instance', async () => {
    const tokens = await login(app, await addAccount(app));
    expectOk(await logout(undefined, tokens.access_token, other), {});
    expect(await ended(tokens)).toBe(true);
  });

  it('ends the session of an access token that has expired, or of a refresh token that was exchanged', async () => {
    const account = await addAccount(app);
    const [one, two] = [await login(app, account), await login(app, account)];
    const newest = (await refresh(two)).body as Tokens;
    passSeconds(3601);
    expectFailure(await info(one), 403, 3008);
    expectOk(await logout(undefined, one.access_token), {});
    expectFailure(await refresh(one), 403, 3002);
    expectOk(await logout({ refresh_token: two.refresh_token }), {});
    expectFailure(await refresh(newest), 403, 3002);
  });

  it('ends both if the tokens are of two sessions', async () => {
    const account = await addAccount(app);
    const [one, two] = [await login(app, account), await login(app, account)];
    expectOk(await logout({ refresh_token: one.refresh_token }, two.access_token), {});
    expect([await ended(one), await ended(two)]).toEqual([true, true]);
  });

  it('succeeds without a session: unknown, ended and broken tokens, or none', async () => {
    const tokens = await login(app, await addAccount(app));
    const [head, , signature] = tokens.access_token.split('.');
    const forged = Buffer.from(
      JSON.stringify({
        type: 'access',
        sid: sidOf(tokens),
        sub: 1,
        iss: 'pluto',
        exp: 1,
        iat: 1,
        scopes: [],
      }),
    );
    const broken = [
      `${head}.${forged.toString('base64url')}.${signature}`,
      'x',
      'a.b.c',
      tokens.refresh_token,
    ];
    for (const token of broken) expectOk(await logout(undefined, token), {});
    expectOk(await logout({ refresh_token: 'unknown' }), {});
    expectOk(await logout(), {});
    expectOk(await logout({ refresh_token: tokens.access_token }), {});
    expect(await ended(tokens)).toBe(false);
    for (let time = 0; time < 2; time++) expectOk(await logout({ refresh_token: tokens.refresh_token }), {});
  });

  it('refuses a refresh token that is none with 1001', async () => {
    for (const refresh_token of [7, '', ['x'], 'x'.repeat(8193)])
      expectFailure(await logout({ refresh_token }), 400, 1001);
  });

  it('is recorded once, as done by the owner', async () => {
    const account = await addAccount(app);
    const tokens = await login(app, account);
    await Promise.all([1, 2, 3].map(() => logout({ refresh_token: tokens.refresh_token })));
    const { events } = await readAudit(await firstAdministrator(app), {
      user_id: String(account.id),
      type: 'session.ended',
    });
    expect(events).toEqual([
      expect.objectContaining({
        type: 'session.ended',
        actor: { kind: 'user', user_id: account.id, client: '' },
        detail: { session: sidOf(tokens) },
      }),
    ]);
  });
});
