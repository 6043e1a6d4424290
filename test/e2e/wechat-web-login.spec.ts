import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { ConsumedState } from '../../src/auth/providers/wechat/consumed-state.entity.js';
import { Settings } from '../../src/config/settings.js';
import { Housekeeping } from '../../src/housekeeping/housekeeping.service.js';
import { ApplicationSettingsService } from '../../src/applications/application-settings.service.js';
import { PLUTO } from '../../src/applications/pluto-names.js';
import { ApplicationsService } from '../../src/applications/applications.service.js';
import { User } from '../../src/users/user.entity.js';
import { addAdministrator, type Administrator } from '../support/administration.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication, type TestApplication } from '../support/applications.js';
import { cookiesOf, nextNumber, type Answer, type Client } from '../support/client.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { countByCode, expectFailure, expectOk } from '../support/expectations.js';
import { NOBODYS_REQUEST } from '../support/request-context.js';
import type { Fields } from '../support/provider-server.js';
import { decodeToken } from '../support/tokens.js';
import {
  FakeWechat,
  WECHAT_APP,
  WECHAT_TOKEN,
  WECHAT_WEB_APP,
  type WechatPerson,
} from '../support/wechat.js';

const PATH = '/v1/user/login/wechat/web';
const RETURN = 'https://shop.example/in';
const RETURN_WITH_QUERY = 'https://shop.example/in?from=wechat&x=%20y';
const OWN_RETURN = 'https://own.example/in';
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
const TOKENS = {
  access_token: expect.any(String),
  access_token_expire_at: expect.any(Number),
  refresh_token: expect.any(String),
  refresh_token_expire_at: expect.any(Number),
  type: 'Bearer',
};
const STALE = 'Operation Forbidden: the state is unknown, expired or used; start the sign-in again';
const OTHER_BROWSER =
  'Operation Forbidden: the sign-in was started in another browser, or its redirect_url is no longer allowed';
const NOT_ALLOWED = 'Operation Forbidden: redirect_url is not allowed for the application';

let wechat: FakeWechat;
/** Has another secret key, and WeChat only configured for `pluto`. */
let stranger: TestApp;
let app: TestApp;
/** Another server on the same database. */
let twin: TestApp;
let admin: Administrator;
/** A new one for each test, so that its accounts can be counted. */
let shop: TestApplication;
/** The cookie of the browser. */
let cookie = '';

beforeAll(async () => {
  wechat = await FakeWechat.start();
  const env = { ...wechat.env, WECHAT_WEB_REDIRECT_URLS: `${RETURN},${RETURN_WITH_QUERY}` };
  const { WECHAT_API_URL, WECHAT_OPEN_URL, WECHAT_WEB_APP_SECRET } = env;
  const SECRET_KEY = 'the secret key of another server, as long';
  stranger = await startTestApp({ env: { WECHAT_API_URL, WECHAT_OPEN_URL, SECRET_KEY } });
  const { id } = await stranger.app.get(ApplicationsService).getByName(PLUTO.application);
  const wechatApp = { wechatWebAppId: WECHAT_WEB_APP, wechatWebAppSecret: WECHAT_WEB_APP_SECRET };
  await stranger.app.get(ApplicationSettingsService).change(id, wechatApp, NOBODYS_REQUEST);
  // Passport's strategy is global: tokens are verified by the server started last.
  app = await startTestApp({ env });
  twin = await startTestApp({ env, on: app });
  admin = await addAdministrator(app);
});
afterAll(async () => {
  await twin?.stop();
  await app?.close();
  await stranger?.close();
  await wechat?.close();
});
beforeEach(async () => {
  cookie = '';
  shop = await newShop();
});
afterEach(() => {
  thawClock();
  wechat.recover();
  wechat.assertNothingUnexpected();
});

function newShop(of = app): Promise<TestApplication> {
  return addApplication(of, { name: `org.example.web${nextNumber()}`, roles: { customer: ['shop.buy'] } });
}

async function visit(
  query: string | Record<string, string>,
  accept = '*/*',
  client = app.client,
): Promise<Answer> {
  const headers = { accept, cookie };
  const answer = await client.get(`${PATH}?${new URLSearchParams(query).toString()}`, { headers });
  cookie = cookiesOf(answer) || cookie;
  return answer;
}

interface Started {
  authorize_url: string;
  state: string;
}

async function start(redirectUrl = '', { name } = shop, client = app.client): Promise<Started> {
  const answer = await visit({ app_id: name, redirect_url: redirectUrl }, '*/*', client);
  expectOk(answer);
  return answer.body as Started;
}

/** Returns with a valid code by default. */
function comeBack(
  state: string,
  code = wechat.code(wechat.person(), WECHAT_WEB_APP),
  client?: Client,
): Promise<Answer> {
  return visit({ state, code }, BROWSER, client);
}

/** Where WeChat's page redirects the browser. */
async function scan(authorizeUrl: string): Promise<string> {
  const page = await fetch(authorizeUrl, { redirect: 'manual' });
  const location = page.headers.get('location') ?? '';
  expect(location).toMatch(`http://pluto.test${PATH}?`);
  return location.replace('http://pluto.test', '');
}

function scanAs(person: WechatPerson, started: Started): Promise<string> {
  wechat.scanAs(person);
  return scan(started.authorize_url);
}

function settle(change: Fields, { id } = shop): Promise<Answer> {
  return admin.put('/v1/rbac/application/settings', { app_id: id, ...change });
}

function countAccounts({ id } = shop): Promise<number> {
  return app.dataSource.manager.countBy(User, { applicationId: id });
}

/** Runs something without requests to WeChat. */
async function withoutWechat<T>(work: () => Promise<T>): Promise<T> {
  const calls = wechat.calls.length;
  const result = await work();
  expect(wechat.calls.slice(calls)).toEqual([]);
  return result;
}

function flipped(state: string, position: number): string {
  const digit = (parseInt(state[position]!, 16) ^ 1).toString(16);
  return state.slice(0, position) + digit + state.slice(position + 1);
}

describe('GET /v1/user/login/wechat/web, at the start', () => {
  it("returns the URL of WeChat's page and its state to a program", async () => {
    const { authorize_url, state, ...rest } = await start(RETURN);
    expect(rest).toEqual({});
    expect(state).toMatch(/^[A-Za-z0-9]{32,128}$/);
    const url = new URL(authorize_url);
    expect([url.origin + url.pathname, url.hash]).toEqual([
      `${wechat.url}/connect/qrconnect`,
      '#wechat_redirect',
    ]);
    expect([...url.searchParams]).toEqual([
      ['appid', WECHAT_WEB_APP],
      ['redirect_uri', `http://pluto.test${PATH}`],
      ['response_type', 'code'],
      ['scope', 'snsapi_login'],
      ['state', state],
    ]);
  });

  it('redirects a browser to that page', async () => {
    const answer = await visit({ app_id: shop.name, redirect_url: RETURN }, BROWSER);
    expect([answer.status, answer.text]).toEqual([302, '']);
    expect(answer.headers.get('location')).toMatch(
      /qrconnect\?appid=.*&state=[0-9a-f]{112}#wechat_redirect$/,
    );
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        new RegExp(`^pluto_wechat_web=[\\w-]{43}; Max-Age=600; Path=${PATH}; HttpOnly; SameSite=Lax$`),
      ),
    ]);
    wechat.scanAs(wechat.person());
    await scan(answer.headers.get('location')!);
  });

  it.each(['*/*', 'application/json', 'application/json, text/html;q=0.9', 'text/html;q=0, */*'])(
    'answers JSON to Accept: %s',
    async (accept) => expectOk(await visit({ app_id: shop.name }, accept)),
  );

  it('makes WeChat redirect to PUBLIC_URL whatever host the request names', async () => {
    const headers = {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https',
      forwarded: 'host=evil.example;proto=https',
      origin: 'https://evil.example',
      referer: 'https://evil.example/',
    };
    const text = await new Promise<string>((resolve, reject) => {
      request(`${app.url}${PATH}?app_id=${shop.name}`, { headers }, (response) => {
        let body = '';
        response.on('data', (chunk) => (body += String(chunk))).on('end', () => resolve(body));
      })
        .on('error', reject)
        .end();
    });
    expect(text).toContain(`redirect_uri=${encodeURIComponent(`http://pluto.test${PATH}`)}`);
    expect(text).not.toContain('evil.example');
  });

  it('gives every sign-in its own state', async () => {
    const started = await Promise.all(Array.from({ length: 20 }, () => start(RETURN)));
    expect(new Set(started.map(({ state }) => state)).size).toBe(20);
  });

  it.each([
    ['without app_id', '', 400, 1001],
    ['with redirect_url alone', `redirect_url=${RETURN}`, 400, 1001],
    ['with an empty app_id', 'app_id=', 400, 1001],
    ['with app_id twice', 'app_id=pluto&app_id=pluto', 400, 1001],
    ['with redirect_url twice', `app_id=pluto&redirect_url=${RETURN}&redirect_url=${RETURN}`, 400, 1001],
    ['with a line break in redirect_url', `app_id=pluto&redirect_url=${RETURN}%0A`, 400, 1001],
    ['with a zero in redirect_url', `app_id=pluto&redirect_url=${RETURN}%00`, 400, 1001],
    ['with too long a redirect_url', `app_id=pluto&redirect_url=${RETURN}${'n'.repeat(2048)}`, 400, 1001],
    ['for an unknown application', 'app_id=org.example.unknown', 403, 4005],
  ])('is refused %s', async (_what, query, status, code) => {
    const answer = await withoutWechat(() => app.client.get(`${PATH}?${query}`));
    expect([answer.status, answer.code]).toEqual([status, code]);
  });

  it('is 1002 where WeChat on the web is not configured', async () => {
    const { name } = await newShop(stranger);
    const message = `Operation Forbidden: sign-in with WeChat on the web is not configured for ${name}`;
    expectFailure(await visit({ app_id: name }, BROWSER, stranger.client), 403, 1002, message);
  });

  describe('accepts a redirect_url that is exactly one on the list', () => {
    it.each(['', RETURN, RETURN_WITH_QUERY])('such as %j', async (redirectUrl) => {
      await start(redirectUrl);
    });

    const others = String.raw`
      https://shop.example/in/deeper https://shop.example/i https://shop.example/ https://shop.example
      https://shop.example:8443/in https://shop.example:443/in http://shop.example/in https://shop.example/IN
      https://SHOP.example/in HTTPS://shop.example/in https://shop.example/in/ https://shop.example/in.
      https://shop.example./in https://shop.example/./in https://shop.example//in https://shop.example/in/../in
      https://shop.example/in?x=1 https://shop.example/in? https://shop.example/in?x=%20y&from=wechat
      https://shop.example/in?from=wechat&x=+y https://shop.example/in#x https://shop.example/in#
      https://shop.example/%69n https://shop.example/in%20 https%3A%2F%2Fshop.example%2Fin
      https:/shop.example/in https:\\shop.example\in //shop.example/in //e /in in *
      javascript:alert(1) data:text/html,x https://ann@shop.example/in https://shop.example@evil.example/in
      https://shop.example.evil.example/in https://evil.example/in https://evil.example/?https://shop.example/in
      https://ѕhop.example/in ${RETURN},${RETURN_WITH_QUERY}`;

    it.each([...others.trim().split(/\s+/), ` ${RETURN}`, `${RETURN} `])(
      'and not %j: 1002',
      async (redirectUrl) => {
        const answer = await visit({ app_id: shop.name, redirect_url: redirectUrl }, BROWSER);
        expectFailure(answer, 403, 1002, NOT_ALLOWED);
        expect(answer.headers.get('location')).toBeNull();
      },
    );

    it("where the server's settings refuse URLs that headers cannot contain", () => {
      // The application's own list also allows printable ASCII only.
      expect(() => Settings.load({ WECHAT_WEB_REDIRECT_URLS: 'https://shop.example/入口' })).toThrow(
        'WECHAT_WEB_REDIRECT_URLS',
      );
    });

    it("of the application, where it has one, instead of the server's", async () => {
      const ownScheme = 'org.example.shop:/in';
      expectOk(await settle({ redirect_urls: [OWN_RETURN, ownScheme] }));
      const refused = await visit({ app_id: shop.name, redirect_url: RETURN });
      expectFailure(refused, 403, 1002, NOT_ALLOWED);
      const elsewhere = await visit({ app_id: PLUTO.application, redirect_url: OWN_RETURN });
      expectFailure(elsewhere, 403, 1002, NOT_ALLOWED);
      for (const url of [OWN_RETURN, ownScheme]) {
        const answer = await comeBack((await start(url)).state);
        expect(answer.headers.get('location')?.split('#')[0]).toBe(url);
      }
      expectOk(await settle({ redirect_urls: [] }));
      await start(RETURN);
    });
  });
});

describe('GET /v1/user/login/wechat/web, back from WeChat', () => {
  it.each([
    ['a browser', RETURN, BROWSER],
    ['a program', RETURN, 'application/json'],
    ['a browser, to a URL with a query', RETURN_WITH_QUERY, BROWSER],
  ])('redirects %s with an access token in the fragment', async (_what, redirectUrl, accept) => {
    const person = wechat.person();
    const answer = await app.client.get(await scanAs(person, await start(redirectUrl)), {
      headers: { accept, cookie },
    });
    expect([answer.status, answer.text]).toEqual([302, '']);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
    });
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(JSON.stringify([...answer.headers])).not.toContain('refresh');
    const [target, fragment] = answer.headers.get('location')!.split('#');
    expect(target).toBe(redirectUrl);
    expect(fragment).toMatch(
      /^access_token=[\w-]+\.[\w-]+\.[\w-]+&token_type=Bearer&expires_in=(3600|3599)$/,
    );

    const token = new URLSearchParams(fragment).get('access_token')!;
    const info = await app.client.get('/v1/user/info', { token });
    expect(info.body).toMatchObject({
      name: person.nickname,
      avatar: person.headimgurl,
      mail: '',
      app_id: shop.name,
      bindings: [{ login_type: 'wechat', mail: '' }],
    });
    expect(decodeToken(token).claims.scopes).toEqual(['shop.buy']);
    expect(await countAccounts()).toBe(1);
  });

  it.each([
    ['a browser', BROWSER],
    ['a program', 'application/json'],
  ])('returns the tokens to %s without a redirect_url', async (_what, accept) => {
    const answer = await app.client.get(await scanAs(wechat.person(), await start()), {
      headers: { accept },
    });
    expectOk(answer, TOKENS);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const { access_token: token, refresh_token } = answer.body as Record<string, string>;
    expectOk(await app.client.get('/v1/user/info', { token: token! }));
    expectOk(await app.client.post('/v1/token/refresh', { refresh_token, app_id: shop.name }));
  });

  it('uses the values of the start, whatever else the address contains', async () => {
    const other = await newShop();
    const [here, there] = [
      await scanAs(wechat.person(), await start(RETURN)),
      await scan((await start()).authorize_url),
    ];
    const besides = `&app_id=${other.name}&redirect_url=${encodeURIComponent('https://evil.example/')}`;
    const answer = await app.client.get(here + besides, { headers: { cookie } });
    expect(answer.headers.get('location')).toMatch(`${RETURN}#access_token=`);
    expectOk(await app.client.get(there + besides), TOKENS);
    expect([await countAccounts(), await countAccounts(other)]).toEqual([1, 0]);
  });

  it('does not sign in to one application with the code of another', async () => {
    wechat.addApp('wx2own2own2own2own', 'the-secret-of-another', 'snsapi_login');
    const other = await newShop();
    await settle(
      { wechat_web_app_id: 'wx2own2own2own2own', wechat_web_app_secret: 'the-secret-of-another' },
      other,
    );
    const [here, there] = [await start(), await start('', other)];
    const code = wechat.code(wechat.person(), 'wx2own2own2own2own');
    expectFailure(await comeBack(here.state, code), 403, 3005);
    expectOk(await comeBack(there.state, code), TOKENS);
    expect([await countAccounts(), await countAccounts(other)]).toEqual([0, 1]);
  });

  it('refuses a code of the mobile app, and the mobile app one of the website', async () => {
    const { state } = await start();
    expectFailure(await comeBack(state, wechat.code(wechat.person(), WECHAT_APP)), 403, 3005);
    const code = wechat.code(wechat.person(), WECHAT_WEB_APP);
    const answer = await app.client.post('/v1/user/login/wechat/mobile', { code, app_id: shop.name });
    expectFailure(answer, 403, 3005);
    expect(await countAccounts()).toBe(0);
  });

  it('is 1001 without a state, and for an invalid code or state', async () => {
    const { state } = await start();
    await withoutWechat(async () => {
      for (const query of ['code=c', 'code=c&state=', `code=&state=${state}`, `code=c&code=c&state=${state}`])
        expectFailure(await app.client.get(`${PATH}?${query}`), 400, 1001);
      expectFailure(await app.client.get(`${PATH}?code=c&state=${state}&state=${state}`), 400, 1001);
      expectFailure(await comeBack('0'.repeat(256)), 400, 1001);
    });
    expectOk(await comeBack(state));
  });

  it('is 3005 when the person has declined, and consumes the state', async () => {
    const started = await start(RETURN);
    wechat.decline();
    const path = await scan(started.authorize_url);
    expect(path).not.toContain('code=');
    const answer = await withoutWechat(() => app.client.get(path, { headers: { accept: BROWSER, cookie } }));
    expectFailure(answer, 403, 3005, expect.stringContaining('declined'));
    expectFailure(await withoutWechat(() => comeBack(started.state)), 403, 1002, STALE);
    expect(await countAccounts()).toBe(0);
  });

  it.each([
    ['3005 for a bad code', 403, 3005, () => undefined],
    ['1010 when WeChat is busy', 503, 1010, () => wechat.failNext(WECHAT_TOKEN, -1)],
  ])('is %s, and consumes the state', async (_what, status, code, arrange) => {
    const { state } = await start(RETURN);
    arrange();
    const answer = await comeBack(state, 'no-such-code');
    expectFailure(answer, status, code);
    expect(answer.headers.get('location')).toBeNull();
    expectFailure(await withoutWechat(() => comeBack(state)), 403, 1002, STALE);
    expect(await countAccounts()).toBe(0);
  });

  it('is 1002 when redirect_url was taken off the list meanwhile', async () => {
    await settle({ redirect_urls: [OWN_RETURN, RETURN] });
    const { state } = await start(OWN_RETURN);
    await settle({ redirect_urls: [RETURN] });
    expectFailure(await withoutWechat(() => comeBack(state)), 403, 1002, OTHER_BROWSER);
    expect(await countAccounts()).toBe(0);
  });

  it('does not sign in for HEAD', async () => {
    const started = await start(RETURN);
    const path = await scanAs(wechat.person(), started);
    const answer = await withoutWechat(() => app.client.request('HEAD', path));
    expect([answer.status, answer.headers.get('location')]).toEqual([405, null]);
    expect(answer.headers.get('allow')).toBe('GET');
    expect(await countAccounts()).toBe(0);
    const retried = await app.client.get(path, { headers: { cookie } });
    expect(retried.headers.get('location')).toContain('access_token');
  });
});

describe('a sign-in of another browser', () => {
  const STRANGERS = '0123456789_abcdefghijklmnopqrstuvwxyz-ABCDE';

  async function startIn(accept: string, redirectUrl: string): Promise<string> {
    const answer = await visit({ app_id: shop.name, redirect_url: redirectUrl }, accept);
    const url = answer.headers.get('location') ?? (answer.body as Started).authorize_url;
    return new URL(url).searchParams.get('state')!;
  }

  it.each([
    ['a browser with redirect_url', BROWSER, RETURN],
    ['a browser without redirect_url', BROWSER, ''],
    ['a program with redirect_url', '*/*', RETURN],
  ])('is 1002 if it was started by %s', async (_what, accept, redirectUrl) => {
    const state = await startIn(accept, redirectUrl);
    const own = cookie;
    for (const others of ['', 'pluto_wechat_web=', `pluto_wechat_web=${STRANGERS}`, `pluto_wechat=${own}`]) {
      cookie = others;
      expectFailure(await withoutWechat(() => comeBack(state)), 403, 1002, OTHER_BROWSER);
    }
    expect(await countAccounts()).toBe(0);
    cookie = own;
    expect((await comeBack(state)).code).toBe(0);
  });

  it('completes the JSON form, as old programs do', async () => {
    const state = await startIn('*/*', '');
    expect(cookie).toBe('');
    expectOk(await comeBack(state), TOKENS);
  });

  it('is told apart while several tabs sign in', async () => {
    const states = [await startIn(BROWSER, RETURN), await startIn(BROWSER, RETURN_WITH_QUERY)] as const;
    for (const [index, url] of [RETURN, RETURN_WITH_QUERY].entries()) {
      const answer = await comeBack(states[index]!);
      expect(answer.headers.get('location')?.split('#')[0]).toBe(url);
    }
  });

  it('finds its redirect_url as redirect_uri', async () => {
    const started = await visit({ app_id: shop.name, redirect_uri: RETURN });
    expectOk(started);
    const answer = await comeBack((started.body as Started).state);
    expect(answer.headers.get('location')?.split('#')[0]).toBe(RETURN);
    const refused = await visit({ app_id: shop.name, redirect_uri: OWN_RETURN });
    expectFailure(refused, 403, 1002, NOT_ALLOWED);
  });
});

describe('a state', () => {
  const spent = (state: string) =>
    app.dataSource.manager.countBy(ConsumedState, { nonce: state.slice(48, 80) });

  it('is accepted once, even with another valid code', async () => {
    const { state } = await start(RETURN);
    expect((await comeBack(state)).status).toBe(302);
    expectFailure(await withoutWechat(() => comeBack(state)), 403, 1002, STALE);
    expect(await countAccounts()).toBe(1);
  });

  it.each([
    ['one server', () => [app]],
    ['two servers', () => [app, twin]],
  ])('is accepted once in concurrent requests, at %s', async (_what, servers) => {
    for (const redirectUrl of ['', RETURN]) {
      const { state } = await start(redirectUrl);
      const counted = await countAccounts();
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          comeBack(state, undefined, servers()[index % servers().length]!.client),
        ),
      );
      expect(countByCode(answers)).toEqual({ 0: 1, 1002: 9 });
      expect(await countAccounts()).toBe(counted + 1);
    }
  });

  it('created or used at one server is known at another', async () => {
    const { state } = await start(RETURN);
    expect((await comeBack(state, undefined, twin.client)).status).toBe(302);
    expectFailure(await withoutWechat(() => comeBack(state)), 403, 1002, STALE);
  });

  it('is valid for ten minutes', async () => {
    freezeClock();
    const [early, late] = [await start(), await start()];
    passSeconds(599);
    expectOk(await comeBack(early.state), TOKENS);
    passSeconds(2);
    expectFailure(await withoutWechat(() => comeBack(late.state)), 403, 1002, STALE);
    expect(await spent(late.state)).toBe(0);
  });

  it('that is used is stored until it has expired, and no longer', async () => {
    freezeClock();
    const { state } = await start();
    expectOk(await comeBack(state), TOKENS);
    const remembered: number[] = [];
    for (const seconds of [0, 300, 299, 1, 1]) {
      passSeconds(seconds);
      await app.app.get(Housekeeping).run();
      remembered.push(await spent(state));
      expectFailure(await withoutWechat(() => comeBack(state)), 403, 1002, STALE);
    }
    expect(remembered).toEqual([1, 1, 1, 0, 0]);
  });

  it.each<[string, (state: string) => string | Promise<string>]>([
    ...[0, 7, 8, 15, 16, 47, 48, 79, 80, 111].map((position): [string, (state: string) => string] => [
      `digit ${position} changed`,
      (state) => flipped(state, position),
    ]),
    ['a digit less', (state) => state.slice(0, -1)],
    ['a byte less', (state) => state.slice(0, -2)],
    ['a byte more', (state) => `${state}00`],
    ['a blank behind', (state) => `${state} `],
    ['capitals', (state) => state.toUpperCase()],
    ['random digits', () => randomBytes(56).toString('hex')],
    ['the signature of another state', async (state) => state.slice(0, 80) + (await start()).state.slice(80)],
    [
      'the state of another server',
      async () => (await start('', { ...shop, name: 'pluto' }, stranger.client)).state,
    ],
  ])('is 1002 with %s', async (_what, change) => {
    const { state } = await start();
    const changed = await change(state);
    expectFailure(await withoutWechat(() => comeBack(changed)), 403, 1002, STALE);
    expect(await countAccounts()).toBe(0);
    expectOk(await comeBack(state), TOKENS);
  });
});
