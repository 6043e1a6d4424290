import { PageSessionsService } from '../../src/token/page-sessions.service.js';
import { Session, type SignedInBy } from '../../src/token/session.entity.js';
import { addAccount } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication, type TestApplication } from '../support/applications.js';
import { Browser } from '../support/browser.js';
import { nextNumber } from '../support/client.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { FakeGoogle } from '../support/google.js';
import { addClient, askTokens, exchangeOf, getTokens, type TestOAuthClient } from '../support/oauth.js';
import { openSession } from '../support/sessions.js';
import { decodeToken } from '../support/tokens.js';
import { addUser } from '../support/users.js';
import { FakeWechat } from '../support/wechat.js';

let wechat: FakeWechat;
let google: FakeGoogle;
let app: TestApp;
let shop: TestApplication;
let client: TestOAuthClient;
beforeAll(async () => {
  wechat = await FakeWechat.start();
  google = await FakeGoogle.start();
  app = await startTestApp({ env: { ...wechat.env, ...google.env, ACCESS_TOKEN_TTL: '7200' } });
  shop = await addApplication(app, { name: 'org.example.shop', roles: { customer: ['shop.buy'] } });
  client = await addClient(app);
});
beforeEach(() => freezeClock());
afterEach(() => {
  thawClock();
  wechat.assertNothingUnexpected();
  google.assertNothingUnexpected();
});
afterAll(async () => {
  await app.close();
  await wechat.close();
  await google.close();
});

type Method = SignedInBy | '';

const now = () => Math.floor(Date.now() / 1000);
const pathTo = (path: string, query: Record<string, string>) =>
  `${path}?${new URLSearchParams(query).toString()}`;

async function signInByPassword(): Promise<Browser> {
  const by = new Browser(app.url);
  const { mail, password } = await addAccount(app, { app_id: shop.name });
  const page = await by.get(pathTo('/web/login', { app_id: shop.name }));
  expect((await by.submit(page.forms[0], { account: mail, password })).status).toBe(302);
  return by;
}

async function signInByWechat(): Promise<Browser> {
  const by = new Browser(app.url);
  wechat.scanAs(wechat.person({ nickname: 'Wei' }));
  const start = await by.get(pathTo('/web/login/wechat', { app_id: shop.name }));
  const { headers } = await fetch(start.location, { redirect: 'manual' });
  const back = new URL(headers.get('location')!);
  expect((await by.get(back.pathname + back.search)).status).toBe(302);
  return by;
}

/** A browser with a page session that was opened like that. */
async function plantedBrowser(userId: number, signedInBy: Method): Promise<Browser> {
  const by = new Browser(app.url);
  const session = { userId, applicationId: shop.id, signedInBy };
  by.plant('access_token', await app.app.get(PageSessionsService).open(app.dataSource.manager, session));
  return by;
}

/** Consents, and returns what the client is sent. */
async function consent(by: Browser, response_type: string): Promise<URLSearchParams> {
  const request = { client_id: client.key, app_id: shop.name, redirect_uri: client.redirectUri };
  const page = await by.get(pathTo('/web/authorize', { ...request, response_type }));
  const { status, location } = await by.submit(page.forms[0]);
  expect(status).toBe(302);
  const { search, hash } = new URL(location);
  return new URLSearchParams(search === '' ? hash.slice(1) : search);
}

const codeOf = async (by: Browser) => (await consent(by, 'code')).get('code')!;

/** Consents, and has the client fetch its token in half a minute. */
async function tokenOf(by: Browser, responseType = 'code'): Promise<string> {
  if (responseType === 'token') return (await consent(by, 'token')).get('access_token')!;
  const code = await codeOf(by);
  passSeconds(30);
  return (await getTokens(app, client, exchangeOf(client, code))).access_token;
}

const sessionOf = (token: string) =>
  app.dataSource.manager.findOneByOrFail(Session, { id: decodeToken(token).claims.sid });

describe("a client's session", () => {
  it.each([
    ['password', 'code', signInByPassword],
    ['password', 'token', signInByPassword],
    ['wechat', 'code', signInByWechat],
    ['wechat', 'token', signInByWechat],
  ])('knows how and when its owner signed in to the pages: %s, %s', async (signedInBy, type, signIn) => {
    const authenticatedAt = now();
    const by = await signIn();
    passSeconds(3600);
    const session = await sessionOf(await tokenOf(by, type));
    expect(session).toMatchObject({ signedInBy, authenticatedAt, createdAt: now() });
  });

  it('does not know how if the page session does not', async () => {
    const by = await plantedBrowser(await addUser(app, { applicationId: shop.id }), '');
    const authenticatedAt = now();
    expect(await sessionOf(await tokenOf(by))).toMatchObject({ signedInBy: '', authenticatedAt });
  });
});

describe('a session by WeChat on the web', () => {
  it('came in by the binding of that name, as one by the app', async () => {
    wechat.scanAs(wechat.person({ nickname: 'Wei' }));
    const path = pathTo('/v1/user/login/wechat/web', { app_id: shop.name });
    const { authorize_url } = (await app.client.get(path)).body as { authorize_url: string };
    const { headers } = await fetch(authorize_url, { redirect: 'manual' });
    const { pathname, search } = new URL(headers.get('location')!);
    const { access_token } = (await app.client.get(pathname + search)).body as { access_token: string };
    const info = await app.client.get('/v1/user/info', { token: access_token });
    const { signedInBy } = await sessionOf(access_token);
    expect(info.body).toMatchObject({ bindings: [{ login_type: signedInBy }] });
    expect(signedInBy).toBe('wechat');
  });
});

describe('POST /v1/user/unbinding', () => {
  /** Somebody who signs in by mail and Google. */
  async function owner(): Promise<{ id: number; token: string }> {
    const { id } = await addAccount(app, { app_id: shop.name });
    const { accessToken: token } = await openSession(app, id, shop.name);
    const body = { type: 'google', id_token: await google.idToken({ sub: `88${nextNumber()}` }) };
    expectOk(await app.client.post('/v1/user/binding', body, { token }), {});
    return { id, token };
  }

  const unbind = ({ token }: { token: string }, type: string) =>
    app.client.post('/v1/user/unbinding', { type }, { token });

  const works = async (token: string) => (await app.client.get('/v1/user/info', { token })).status === 200;

  const isSignedIn = async (by: Browser) =>
    (await by.get(pathTo('/web/login', { app_id: shop.name }))).words.includes('You are signed in');

  it.each(['google', 'mail'])(
    "ends browsers' and clients' sessions that came in by it, or that may have: %s",
    async (type) => {
      const ann = await owner();
      const methods: Method[] = ['password', 'google', 'wechat', ''];
      const browsers = await Promise.all(methods.map((method) => plantedBrowser(ann.id, method)));
      const tokens: string[] = [];
      for (const by of browsers) tokens.push(await tokenOf(by));
      expectOk(await unbind(ann, type), {});
      const isLeft = methods.map((method) => method !== (type === 'mail' ? 'password' : type));
      expect(await Promise.all(tokens.map(works))).toEqual(isLeft);
      const stays = isLeft.map((left, place) => left && methods[place] !== '');
      expect(await Promise.all(browsers.map(isSignedIn))).toEqual(stays);
    },
  );

  it('ends the codes of browsers that came in by it, and no others', async () => {
    const ann = await owner();
    const codes: string[] = [];
    for (const method of ['google', 'password'] as const)
      codes.push(await codeOf(await plantedBrowser(ann.id, method)));
    expectOk(await unbind(ann, 'google'), {});
    expectFailure(await askTokens(app, client, exchangeOf(client, codes[0]!)), 403, 5002);
    expectOk(await askTokens(app, client, exchangeOf(client, codes[1]!)));
  });

  it('during an exchange leaves no session that came in by it', async () => {
    for (let round = 0; round < 5; round++) {
      const ann = await owner();
      const by = await plantedBrowser(ann.id, 'google');
      const codes: string[] = [];
      for (let times = 0; times < 4; times++) codes.push(await codeOf(by));
      await Promise.all([
        ...codes.map((code) => askTokens(app, client, exchangeOf(client, code))),
        unbind(ann, 'google').then((answer) => expectOk(answer, {})),
      ]);
      expect(await app.dataSource.manager.countBy(Session, { userId: ann.id, signedInBy: 'google' })).toBe(0);
    }
  });
});
