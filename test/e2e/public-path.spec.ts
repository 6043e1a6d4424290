import sharp from 'sharp';
import { addAccount, signedIn, type TestAccount } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication, type TestApplication } from '../support/applications.js';
import { Browser, type PageAnswer } from '../support/browser.js';
import { Client } from '../support/client.js';
import { expectOk } from '../support/expectations.js';
import { addClient, getTokens, type TestOAuthClient } from '../support/oauth.js';
import { PathProxy } from '../support/path-proxy.js';
import { FakeWechat } from '../support/wechat.js';

const BASE = '/accounts/pluto';

let proxy: PathProxy;
let wechat: FakeWechat;
let app: TestApp;
let shop: TestApplication;
let client: TestOAuthClient;
let ann: TestAccount;
let by: Browser;
beforeAll(async () => {
  [proxy, wechat] = await Promise.all([PathProxy.start(BASE), FakeWechat.start()]);
  app = await startTestApp({ env: { PUBLIC_URL: `${proxy.origin}${BASE}/`, ...wechat.env } });
  proxy.target = app.url;
  shop = await addApplication(app, { name: 'org.example.shop', roles: { customer: ['shop.buy'] } });
  client = await addClient(app);
  ann = await addAccount(app, { app_id: shop.name });
});
beforeEach(() => (by = new Browser(proxy.origin)));
afterEach(() => wechat.assertNothingUnexpected());
afterAll(async () => {
  await app.close();
  proxy.close();
  await wechat.close();
});

const query = (fields: Record<string, string>) => new URLSearchParams(fields).toString();
const loginPath = (fields: Record<string, string> = {}) =>
  `${BASE}/web/login?${query({ app_id: shop.name, ...fields })}`;

/** Asserts that all a browser is given to load, follow, send to or keep is below the path. */
function expectBelow(answer: PageAnswer): PageAnswer {
  const loaded = [...answer.text.matchAll(/ href="([^"]*)"/g)].map(([, href = '']) => href);
  const targets = [...loaded, ...answer.links, ...answer.forms.map(({ action }) => action)];
  for (const target of targets) expect(target).toMatch(new RegExp(`^${BASE}/web/`));
  for (const { attributes } of answer.setCookies) expect(attributes.path).toMatch(new RegExp(`^${BASE}/`));
  return answer;
}

async function open(path: string): Promise<PageAnswer> {
  const answer = expectBelow(await by.get(path));
  expect(answer.status).toBe(200);
  return answer;
}

async function expectSentOn(answer: PageAnswer, location: string | RegExp): Promise<void> {
  expectBelow(answer);
  expect(answer.status).toBe(302);
  expect(answer.location).toMatch(location);
  return Promise.resolve();
}

function signIn(page: PageAnswer): Promise<PageAnswer> {
  return by.submit(page.forms[0], { account: ann.mail, password: ann.password });
}

describe('behind a proxy that removes the path of PUBLIC_URL', () => {
  it('a page loads its style sheets and icon', async () => {
    const { text } = await open(loginPath());
    const assets = [...text.matchAll(/<link [^>]*href="([^"]*)"/g)].map(([, href = '']) => href);
    expect(assets).toHaveLength(3);
    for (const asset of assets) expect((await by.get(asset)).status).toBe(200);
    const missing = expectBelow(await by.get(`${BASE}/web/nothing`));
    expect([missing.status, missing.text.match(/<link /g)]).toEqual([404, ['<link ', '<link ', '<link ']]);
  });

  it('a client gets a code after sign-in and consent', async () => {
    const parameters = {
      client_id: client.key,
      app_id: shop.name,
      redirect_uri: client.redirectUri,
      response_type: 'code',
      state: 'a b',
    };
    const asked = await by.get(`${BASE}/web/authorize?${query(parameters)}`);
    await expectSentOn(asked, new RegExp(`^${BASE}/web/login\\?`));
    const wrong = await by.submit((await open(asked.location)).forms[0], {
      account: ann.mail,
      password: 'wrong password',
    });
    expect([wrong.status, expectBelow(wrong).forms[0]?.action]).toEqual([403, `${BASE}/web/login`]);
    const signed = await signIn(await open(asked.location));
    await expectSentOn(signed, new RegExp(`^${BASE}/web/authorize\\?`));
    const consent = await open(signed.location);
    const decided = await by.submit(consent.forms[0]);
    expect(decided.status).toBe(302);
    const back = new URL(decided.location);
    expect(back.origin + back.pathname).toBe(client.redirectUri);
    expect(back.searchParams.get('iss')).toBe(`${proxy.origin}${BASE}/oauth2`);
    const tokens = await getTokens(app, client, {
      grant_type: 'authorization_code',
      code: back.searchParams.get('code')!,
      redirect_uri: client.redirectUri,
    });
    expect(tokens.access_token).toMatch(/^ey/);
  });

  it('signs out, and keeps where to go on', async () => {
    const next = `/web/authorize?${query({ client_id: client.key, app_id: shop.name })}`;
    await expectSentOn(await signIn(await open(loginPath())), new RegExp(`^${BASE}/web/login\\?app_id=`));
    const left = await by.submit((await open(loginPath())).forms[0]);
    await expectSentOn(left, new RegExp(`^${BASE}/web/login\\?app_id=`));
    expect(by.cookies.has('access_token')).toBe(false);
    for (const given of [next, BASE + next]) {
      by = new Browser(proxy.origin);
      await expectSentOn(await signIn(await open(loginPath({ next: given }))), BASE + next);
    }
    for (const given of ['//e.com/web/login', `${BASE}//e.com`, `${BASE}/docs`]) {
      by = new Browser(proxy.origin);
      await expectSentOn(await signIn(await open(loginPath({ next: given }))), /\/web\/login\?app_id=[^&]*$/);
    }
  });

  it('the forgotten password is reset by the link in the mail', async () => {
    const account = await addAccount(app, { app_id: shop.name });
    const forgot = (await open(loginPath())).links.find((link) => link.includes('forgot'))!;
    const sent = expectBelow(await by.submit((await open(forgot)).forms[0], { mail: account.mail }));
    expect(sent.status).toBe(200);
    const mail = await app.mailbox.waitFor(account.mail);
    expect(mail.text).toContain(`${proxy.origin}${BASE}/web/password/reset/`);
    const form = (await open(await app.mailbox.linkTo(account.mail))).forms[0];
    const password = 'another password';
    expect((await by.submit(form, { password, password_repeat: password })).status).toBe(200);
  });

  it('a registration is confirmed by the link in the mail', async () => {
    const { mail } = ann;
    const body = { mail: `new.${mail}`, user_id: 'new', name: 'New', password: 'a new password' };
    expectOk(await app.client.post('/v1/user/register', { ...body, app_id: shop.name }));
    const page = await open(await app.mailbox.linkTo(body.mail));
    expect(expectBelow(await by.submit(page.forms[0])).status).toBe(200);
  });

  it('WeChat sends the browser back, which keeps its cookie', async () => {
    wechat.scanAs(wechat.person());
    const link = (await open(loginPath())).links.find((target) => target.includes('wechat'))!;
    const start = expectBelow(await by.get(link));
    const { headers } = await fetch(start.location, { redirect: 'manual' });
    const back = new URL(headers.get('location')!);
    expect([back.origin, back.pathname]).toEqual([proxy.origin, `${BASE}/web/login/wechat/back`]);
    await expectSentOn(await by.get(back.pathname + back.search), new RegExp(`^${BASE}/web/login\\?app_id=`));
  });

  it('the root address, the documentation and its document lead on below the path', async () => {
    const root = await by.get(`${BASE}/`);
    expect([root.status, root.location]).toEqual([302, `${BASE}/docs`]);
    const page = await by.get(root.location);
    const assets = [...page.text.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, url = '']) => url);
    expect(assets.length).toBeGreaterThan(3);
    for (const asset of assets) {
      const { pathname } = new URL(asset, `${proxy.origin}${BASE}/docs`);
      expect([asset, (await by.get(pathname)).status]).toEqual([asset, 200]);
    }
    const document = await new Client(proxy.origin).get(`${BASE}/openapi.json`);
    expect(document.json).toMatchObject({ servers: [{ url: BASE }] });
  });

  it('an avatar is loaded from its address', async () => {
    const { token } = await signedIn(app);
    const image = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#c40' } })
      .png()
      .toBuffer();
    expectOk(await app.client.put('/v1/user/info', { avatar: image.toString('base64') }, { token }));
    const { avatar } = (await app.client.get('/v1/user/info', { token })).body as { avatar: string };
    expect(avatar.startsWith(`${proxy.origin}${BASE}/avatars/`)).toBe(true);
    expect((await fetch(avatar)).status).toBe(200);
  });
});

it('an https: PUBLIC_URL with a path has Secure cookies that browsers accept there', async () => {
  const secure = await startTestApp({
    env: { PUBLIC_URL: 'https://id.example.com/pluto' },
    on: app,
    sendMails: false,
  });
  const answer = await secure.client.page('/web/login');
  expect(answer.headers.getSetCookie()).toEqual([
    expect.stringMatching(/^__Secure-pluto_csrf=[^;]+; Path=\/pluto\/; HttpOnly; Secure; SameSite=Lax$/),
  ]);
  const sent = await secure.client.submit('/web/login', { account: 'nobody', password: 'no password' });
  expect([sent.status, sent.text.includes('action="/pluto/web/login"')]).toEqual([403, true]);
  await secure.stop();
});
