import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { startTestApp, type TestApp } from '../support/app.js';
import { describeInChromium, launchChromium } from '../support/chromium.js';
import { FakeWechat, WECHAT_QR_CONNECT } from '../support/wechat.js';

const PATH = '/v1/user/login/wechat/web';

/** The app's website: a page with a link to the sign-in, and a return page that reads the fragment. */
class Website {
  readonly visits: IncomingMessage[] = [];
  private readonly server: Server;

  constructor(linkTo: (website: Website) => string) {
    this.server = createServer((request, response) => {
      this.visits.push(request);
      response.setHeader('content-type', 'text/html; charset=utf-8');
      const link = linkTo(this).replaceAll('&', '&amp;');
      response.end(`<!doctype html><link rel="icon" href="data:,"><a href="${link}">Sign in with WeChat</a>`);
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async listen(): Promise<this> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return this;
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }
}

/** What the website's script does with the token. */
const READ_INFO = `(async (address) => {
  const token = new URLSearchParams(location.hash.slice(1)).get('access_token');
  const answer = await fetch(address, { headers: { authorization: 'Bearer ' + token } });
  return answer.json();
})`;

describeInChromium('sign-in with WeChat in a browser', () => {
  let wechat: FakeWechat;
  let website: Website;
  let app: TestApp;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    wechat = await FakeWechat.start();
    website = await new Website(
      ({ url }) => `${app.url}${PATH}?app_id=pluto&redirect_url=${encodeURIComponent(`${url}/in`)}`,
    ).listen();
    app = await startTestApp({
      env: {
        ...wechat.env,
        WECHAT_WEB_REDIRECT_URLS: `${website.url}/in`,
        CORS_ORIGINS: website.url,
      },
    });
    // WeChat must redirect to the port, which is known only now.
    Object.assign(app.settings, { publicUrl: app.url });
    wechat.callbackHost = new URL(app.url).host;
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await app?.close();
    await website?.close();
    await wechat?.close();
  });
  beforeEach(async () => {
    page = await (await browser.newContext()).newPage();
    website.visits.length = 0;
  });
  afterEach(async () => {
    await page.context().close();
    wechat.recover();
    // Browsers request an icon even if the page has none.
    const unexpected = wechat.unexpected.splice(0).filter((line) => line !== 'GET /favicon.ico');
    expect(unexpected).toEqual([]);
  });

  it('leads from the website to the QR code and back, signed in', async () => {
    wechat.fail(WECHAT_QR_CONNECT, { contentType: 'text/html', body: '<img alt="QR code">' }, 1);
    await page.goto(`${website.url}/`);
    await page.getByRole('link').click();
    await page.getByRole('img', { name: 'QR code' }).waitFor();
    expect(page.url()).toMatch(`${wechat.url}/connect/qrconnect?`);

    const person = wechat.person();
    wechat.scanAs(person);
    await page.reload();
    await page.waitForURL((url) => url.origin === website.url);
    const [target, fragment] = page.url().split('#');
    expect(target).toBe(`${website.url}/in`);
    expect(await page.evaluate('location.hash')).toBe(`#${fragment}`);
    expect([...new URLSearchParams(fragment)]).toEqual([
      ['access_token', expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/)],
      ['token_type', 'Bearer'],
      ['expires_in', expect.stringMatching(/^3(600|599)$/)],
    ]);
    expect(await page.evaluate(`${READ_INFO}('${app.url}/v1/user/info')`)).toMatchObject({
      status: 'ok',
      body: { name: person.nickname, bindings: [{ login_type: 'wechat', mail: '' }] },
    });
    // Neither token nor code reaches the website's server.
    expect(website.visits.map(({ url }) => url)).toEqual(['/', '/in']);
    expect(website.visits.map(({ headers }) => headers.referer ?? '').join()).not.toMatch(/code|state|token/);
    expect(await page.context().cookies()).toEqual([
      expect.objectContaining({ name: 'pluto_wechat_web', path: PATH, httpOnly: true, sameSite: 'Lax' }),
    ]);
  });

  it('leaves no usable sign-in in the history: back, forward and reload', async () => {
    wechat.scanAs(wechat.person());
    await page.goto(`${website.url}/`);
    await page.getByRole('link').click();
    await page.waitForURL((url) => url.pathname === '/in');
    const asked = wechat.calls.length;
    const { hash } = new URL(page.url());
    await page.goBack();
    expect(page.url()).toBe(`${website.url}/`);
    await page.goForward();
    await page.reload();
    expect(page.url()).toBe(`${website.url}/in${hash}`);
    expect(wechat.calls).toHaveLength(asked);
  });

  it('stays with Pluto, without a token, when the person declines', async () => {
    wechat.decline();
    await page.goto(`${website.url}/`);
    const [answer] = await Promise.all([
      page.waitForResponse((response) => response.url().includes('state=') && response.status() === 403),
      page.getByRole('link').click(),
    ]);
    expect(answer.url()).toMatch(`${app.url}${PATH}?`);
    expect(await answer.json()).toMatchObject({ error: { code: 3005 } });
    expect(page.url()).not.toContain('token');
    expect(website.visits.map(({ url }) => url)).toEqual(['/']);
  });
});
