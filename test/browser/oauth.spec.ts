import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AxeResults } from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { AuthorizationCode } from '../../src/oauth/authorization-code.entity.js';
import { ApplicationName } from '../../src/rbac/application-name.entity.js';
import { ApplicationSettingsService } from '../../src/rbac/application-settings.service.js';
import { PageSession } from '../../src/token/page-session.entity.js';
import { PageSessionsService } from '../../src/token/page-sessions.service.js';
import { Session } from '../../src/token/session.entity.js';
import { addAccount, registration } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication, giveRole, type TestApplication } from '../support/applications.js';
import { describeInChromium, launchChromium } from '../support/chromium.js';
import { cookiesOf, nextNumber } from '../support/client.js';
import { addClient, exchangeOf, getTokens, makePkce, type TestOAuthClient } from '../support/oauth.js';
import { NOBODYS_REQUEST } from '../support/origin.js';
import { decodeToken } from '../support/tokens.js';
import { addUser } from '../support/users.js';
import { FakeWechat, WECHAT_WEB_APP } from '../support/wechat.js';
import {
  expectFits,
  expectSound,
  languages,
  looks,
  PHONE,
  screenshot,
  SMALL_PHONE,
  texts,
  visitPages,
  watchedPage,
  type Language,
} from './support.js';

const POLICY = 'Content Security Policy';
const STATE = 'a b+c%20&d=é"<>';
const SHOP_NAMES = { en: 'Corner Shop', zh: '街角商店', ja: '角の店' } as const;
const LONG = 255;
/** Good enough for Chromium, and not for Pluto. */
const NO_MAIL = 'nobody@example';
const ENGLISH = { locale: languages.en };

/** The site of a client, of an origin of its own. Pages are added by path; `/back` is there. */
class ClientSite {
  readonly pages = new Map<string, string>([['/back', page('Back at Desk', '')]]);
  readonly redirects = new Map<string, string>();
  private readonly server: Server = createServer((request, response) => {
    const [path = ''] = (request.url ?? '').split('?', 1);
    const [location, html] = [this.redirects.get(path), this.pages.get(path)];
    const headers = { 'content-type': 'text/html; charset=utf-8', ...(location && { location }) };
    response.writeHead(location ? 302 : html === undefined ? 404 : 200, headers).end(html);
  });

  static async start(host = '127.0.0.1'): Promise<ClientSite> {
    const site = new ClientSite();
    site.server.listen(0, host);
    await once(site.server, 'listening');
    return site;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><title>${title}</title><link rel="icon" href="data:,"><h1>${title}</h1>${body}`;
}

let wechat: FakeWechat;
let app: TestApp;
let browser: Browser;
let site: ClientSite;
let shop: TestApplication;
let desk: TestOAuthClient;

const place = () => ({ browser, origins: [app.url, site.url] });
const inBrowser = (options: BrowserContextOptions, visit: (page: Page) => Promise<void>) =>
  visitPages(place(), options, visit);

/** Where a client sends the browser; undefined leaves a parameter out. */
function authorizeUrl(client: TestOAuthClient, change: Record<string, string | undefined> = {}): string {
  const usual = {
    client_id: client.key,
    app_id: shop.name,
    redirect_uri: client.redirectUri,
    response_type: 'code',
    state: STATE,
  };
  const given = Object.entries({ ...usual, ...change }).filter(
    (one): one is [string, string] => one[1] !== undefined,
  );
  return `${app.url}/web/authorize?${new URLSearchParams(given).toString()}`;
}

const loginUrl = (appId: string) => `${app.url}/web/login?app_id=${appId}`;
const forgotUrl = (appId: string) => `${app.url}/web/password/forgot?app_id=${appId}`;

interface Person {
  name?: string;
  handle?: string;
  role?: string;
}

/** Gives the browser a session of somebody new, without the work of a password. */
async function signIn(
  page: Page,
  { name = '王小明', handle = `ann${nextNumber()}`, role }: Person = {},
): Promise<string> {
  const userId = await addUser(app, { applicationId: shop.id, name, handle });
  if (role !== undefined) await giveRole(app, userId, shop, role);
  const value = await app.app
    .get(PageSessionsService)
    .open(app.dataSource.manager, { userId, applicationId: shop.id });
  await page.context().addCookies([{ name: 'access_token', value, domain: '127.0.0.1', path: '/web' }]);
  return handle;
}

/** Types into the sign-in form and sends it. */
async function fillIn(page: Page, account: string, password: string): Promise<void> {
  await page.getByLabel('Email or user ID').fill(account);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();
const headed = (page: Page, name: string) =>
  page.getByRole('heading', { name, exact: true, level: 1 }).waitFor();

/** Waits for the browser to be at the client. @returns the query there */
async function backAtClient(page: Page): Promise<Record<string, string>> {
  await headed(page, 'Back at Desk');
  expect(page.url().startsWith(desk.redirectUri)).toBe(true);
  return Object.fromEntries(new URL(page.url()).searchParams);
}

const countGrants = async () =>
  Promise.all([AuthorizationCode, PageSession, Session].map((table) => app.dataSource.manager.count(table)));

describeInChromium('signing in and consenting in a browser', () => {
  beforeAll(async () => {
    [browser, wechat, site] = await Promise.all([launchChromium(), FakeWechat.start(), ClientSite.start()]);
    app = await startTestApp({ env: { WECHAT_API_URL: wechat.url, WECHAT_OPEN_URL: wechat.url } });
    shop = await addApplication(app, {
      name: 'org.example.shop',
      roles: { customer: ['shop.read', 'shop.buy'], nobody: [], clerk: longScopes() },
    });
    for (const [tag, name] of Object.entries(SHOP_NAMES))
      await app.dataSource.manager.insert(ApplicationName, { applicationId: shop.id, tag, name });
    const { WECHAT_WEB_APP_SECRET } = wechat.env;
    await app.app
      .get(ApplicationSettingsService)
      .change(
        shop.id,
        { wechatWebAppId: WECHAT_WEB_APP, wechatWebAppSecret: WECHAT_WEB_APP_SECRET },
        NOBODYS_REQUEST,
      );
    desk = await addClient(app, { key: 'desk', redirectUri: `${site.url}/back` });
  });
  afterAll(async () => {
    await browser?.close();
    site?.close();
    await app?.close();
    await wechat?.close();
  });
  afterEach(() => wechat.assertNothingUnexpected());

  describe('a client', () => {
    /** Presses a button of the consent page. @throws Error when the browser will not have where that leads */
    async function submit(page: Page, button: string): Promise<void> {
      const answered = page.waitForResponse(`${app.url}/web/authorize`);
      const messages: string[] = [];
      page.on('console', (message) => messages.push(message.text()));
      await press(page, button);
      expect((await answered).status()).toBe(302);
      // Chromium says so at once; that it says nothing has no event.
      await sleep(300);
      const refusal = messages.find((message) => message.includes(POLICY));
      if (refusal) throw new Error(refusal);
    }

    /** The program at the other end is not there: all that shows is that the browser was ready to go. */
    async function expectSentOn(redirectUri: string, button: string): Promise<void> {
      const client = await addClient(app, { redirectUri });
      const { page, faults } = await watchedPage(place(), ENGLISH);
      try {
        await signIn(page);
        await page.goto(authorizeUrl(client));
        const sent = page.waitForResponse(`${app.url}/web/authorize`);
        await submit(page, button);
        const { location = '' } = (await sent).headers();
        expect(location.startsWith(`${redirectUri}?${button === 'Allow' ? 'code' : 'error'}=`)).toBe(true);
        expect(faults.filter((fault) => fault.includes(POLICY))).toEqual([]);
      } finally {
        await page.context().close();
      }
    }

    it('gets a code for who signs in, after a wrong password, and allows', async () => {
      const account = await addAccount(app, { app_id: shop.name });
      const { verifier, request } = makePkce();
      const target = authorizeUrl(desk, { scopes: 'shop.buy', ...request });
      site.pages.set(
        '/',
        page('Desk', `<a href="${target.replaceAll('&', '&amp;')}">Sign in with Corner Shop</a>`),
      );
      await inBrowser(ENGLISH, async (page) => {
        await page.goto(`${site.url}/`);
        await page.getByRole('link').click();
        await headed(page, 'Sign in');
        await fillIn(page, account.mail, 'wrong password');
        expect(await page.getByRole('alert').innerText()).toBe(texts.en['login.error.invalidPassword']);
        expect(await page.getByLabel('Email or user ID').inputValue()).toBe(account.mail);
        expect(await page.getByLabel('Password').inputValue()).toBe('');
        expect(await page.evaluate('document.activeElement.id')).toBe('password');
        await fillIn(page, account.mail, account.password);
        await headed(page, 'Allow access?');
        const main = await page.getByRole('main').innerText();
        for (const shown of [
          'desk',
          account.name,
          `@${account.user_id}`,
          'Corner Shop',
          new URL(site.url).host,
        ])
          expect(main).toContain(shown);
        expect(await page.getByRole('listitem').allInnerTexts()).toEqual(['shop.buy']);
        await press(page, 'Allow');
        const { code = '', ...rest } = await backAtClient(page);
        expect(rest).toEqual({ state: STATE });
        const tokens = await getTokens(app, desk, exchangeOf(desk, code, { code_verifier: verifier }));
        expect(decodeToken(tokens.access_token)).toMatchObject({ claims: { scopes: ['shop.buy'] } });
      });
    });

    it('is told that access was denied', async () => {
      await inBrowser(ENGLISH, async (page) => {
        await signIn(page);
        await page.goto(authorizeUrl(desk));
        await press(page, 'Do not allow');
        expect(await backAtClient(page)).toEqual({
          error: 'access_denied',
          error_code: '1002',
          state: STATE,
        });
      });
    });

    it('gets an access token in the fragment', async () => {
      await inBrowser(ENGLISH, async (page) => {
        await signIn(page);
        await page.goto(authorizeUrl(desk, { response_type: 'token' }));
        await press(page, 'Allow');
        expect(await backAtClient(page)).toEqual({});
        expect(Object.fromEntries(new URLSearchParams(new URL(page.url()).hash.slice(1)))).toEqual({
          access_token: expect.stringMatching(/^ey/),
          token_type: 'Bearer',
          expires_in: expect.stringMatching(/^\d+$/),
          scopes: 'shop.read',
          state: STATE,
        });
      });
    });

    it('gets the answer of somebody else who signs in instead', async () => {
      const account = await addAccount(app, { app_id: shop.name });
      await inBrowser(ENGLISH, async (page) => {
        const other = await signIn(page);
        await page.goto(authorizeUrl(desk));
        expect(await page.getByRole('main').innerText()).toContain(`@${other}`);
        await press(page, 'Sign out');
        await headed(page, 'Sign in');
        await fillIn(page, account.user_id, account.password);
        await headed(page, 'Allow access?');
        expect(await page.getByRole('main').innerText()).toContain(`@${account.user_id}`);
        await press(page, 'Allow');
        expect(await backAtClient(page)).toMatchObject({ code: expect.any(String), state: STATE });
      });
    });

    it('does not lose the browser of somebody who forgot the password', async () => {
      const account = await addAccount(app, { app_id: shop.name });
      await inBrowser(ENGLISH, async (page) => {
        await page.goto(authorizeUrl(desk));
        await page.getByRole('link', { name: 'Forgot your password?' }).click();
        await headed(page, 'Forgot your password?');
        await page.getByRole('link', { name: 'Back to sign-in' }).click();
        await headed(page, 'Sign in');
        await page.goBack();
        await page.getByLabel('Email address').fill('nobody');
        await press(page, 'Send link');
        await headed(page, 'Forgot your password?');
        await page.getByLabel('Email address').fill(account.mail);
        await press(page, 'Send link');
        await headed(page, 'Check your email');
        const link = await app.mailbox.linkTo(account.mail);
        await page.getByRole('link', { name: 'Back to sign-in' }).click();
        await fillIn(page, account.mail, account.password);
        await headed(page, 'Allow access?');
        await page.goto(app.url + link);
        await headed(page, 'Choose a new password');
      });
    });

    it('is asked about anew when the sign-in has ended meanwhile', async () => {
      await inBrowser(ENGLISH, async (page) => {
        await signIn(page);
        await page.goto(authorizeUrl(desk));
        await page.context().clearCookies({ name: 'access_token' });
        await press(page, 'Allow');
        await headed(page, 'Sign in');
      });
    });

    it('is told at once of a fault in its request', async () => {
      await inBrowser(ENGLISH, async (page) => {
        await page.goto(authorizeUrl(desk, { response_type: 'id_token' }));
        expect(await backAtClient(page)).toMatchObject({ error: 'unsupported_response_type' });
      });
    });

    it('may send the browser on to another address of its own', async () => {
      const client = await addClient(app, { redirectUri: `${site.url}/callback` });
      site.redirects.set('/callback', '/welcome');
      site.pages.set('/welcome', page('Welcome', ''));
      await inBrowser(ENGLISH, async (page) => {
        await signIn(page);
        await page.goto(authorizeUrl(client));
        await press(page, 'Allow');
        await headed(page, 'Welcome');
      });
    });

    // A browser judges the client's own redirects by the policy of Pluto's page too.
    it('may send the browser on to another origin', async () => {
      const client = await addClient(app, { redirectUri: `${site.url}/handover` });
      const other = `http://localhost:${site.port}`;
      site.redirects.set('/handover', `${other}/back`);
      await visitPages({ browser, origins: [app.url, site.url, other] }, ENGLISH, async (page) => {
        await signIn(page);
        await page.goto(authorizeUrl(client));
        await submit(page, 'Allow');
        await headed(page, 'Back at Desk');
      });
    });

    it.each(['Allow', 'Do not allow'])('may be an app with a scheme of its own: %s', (button) =>
      expectSentOn('org.example.desk:/back', button),
    );

    it('may listen on the loopback address of IPv6', () => expectSentOn('http://[::1]:8099/back', 'Allow'));
  });

  it('go to WeChat and come back', async () => {
    const { page: tab, faults } = await watchedPage({ browser, origins: [app.url, wechat.url] }, ENGLISH);
    await tab.route('**/favicon.ico', (route) => route.fulfill({ status: 204 }));
    await tab.goto(loginUrl(shop.name));
    await tab.getByRole('button', { name: 'Sign in with WeChat' }).click();
    await tab.getByAltText('QR code').waitFor();
    expect(faults).toEqual([]);
    await tab.context().close();
  });

  describe('a page of another origin', () => {
    /** A form there, with a token that its author got for himself. */
    async function forge(path: string, fields: Record<string, string>): Promise<string> {
      const own = await app.client.page('/web/login');
      const _csrf = /name="_csrf" value="([^"]*)"/.exec(own.text)?.[1] ?? '';
      expect([_csrf, cookiesOf(own)]).toEqual([
        expect.stringMatching(/.{20}/),
        expect.stringContaining('csrf'),
      ]);
      const inputs = Object.entries({ ...fields, _csrf })
        .map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`)
        .join('');
      const body = `<form method="post" action="${app.url}${path}">${inputs}<button>Win a prize</button></form>`;
      const address = `/forged${nextNumber()}`;
      site.pages.set(address, page('Prizes', body));
      return address;
    }

    // Cookies know no port: to another port of this host they go along, to another name they do not.
    it.each(['127.0.0.1', 'localhost'])('cannot press buttons for who is signed in: %s', async (host) => {
      const origin = `http://${host}:${site.port}`;
      const account = await addAccount(app, { app_id: shop.name });
      const forged = await Promise.all([
        forge('/web/authorize', {
          client_id: desk.key,
          app_id: shop.name,
          redirect_uri: desk.redirectUri,
          response_type: 'code',
          decision: 'allow',
        }),
        forge('/web/login', { account: account.mail, password: account.password, app_id: shop.name }),
        forge('/web/logout', { app_id: shop.name }),
        forge('/web/password/forgot', { app_id: shop.name, mail: account.mail }),
      ]);
      await visitPages({ browser, origins: [app.url, origin] }, ENGLISH, async (page) => {
        const handle = await signIn(page);
        await page.goto(authorizeUrl(desk));
        const before = await countGrants();
        for (const address of forged) {
          await page.goto(origin + address);
          const answered = page.waitForResponse((response) => response.request().method() === 'POST');
          await press(page, 'Win a prize');
          expect((await answered).status()).toBe(403);
          await headed(page, texts.en['error.title.csrf']!);
        }
        expect(await countGrants()).toEqual(before);
        expect(await app.mailbox.to(account.mail)).toEqual([]);
        await page.goto(loginUrl(shop.name));
        expect(await page.getByRole('main').innerText()).toContain(`@${handle}`);
      });
    });

    it('cannot show the pages in a frame', async () => {
      const addresses = [authorizeUrl(desk), loginUrl('pluto'), forgotUrl('pluto'), `${app.url}/web/nothing`];
      const frames = addresses
        .map((url) => `<iframe src="${url.replaceAll('&', '&amp;')}"></iframe>`)
        .join('');
      site.pages.set('/frames', page('Frames', frames));
      const { page: tab, faults } = await watchedPage(place(), ENGLISH);
      try {
        await signIn(tab);
        await tab.goto(`${site.url}/frames`);
        const inside = tab.frames().slice(1);
        expect(inside.map((frame) => frame.url())).toEqual(
          addresses.map(() => 'chrome-error://chromewebdata/'),
        );
        for (const frame of inside) expect(await frame.locator('main, form').count()).toBe(0);
        const refusals = faults.filter((fault) => fault.includes("frame-ancestors 'none'"));
        expect(refusals).toHaveLength(addresses.length);
      } finally {
        await tab.context().close();
      }
    });
  });

  describe('the pages', () => {
    const wrongPassword = async (page: Page, appId: string, language: Language = 'en') => {
      await page.goto(loginUrl(appId));
      await page.getByLabel(texts[language]['login.account']!).fill('nobody@example.com');
      await page.getByLabel(texts[language]['login.password']!).fill('wrong password');
      await page.getByRole('button', { name: texts[language]['login.button']!, exact: true }).click();
      await page.getByRole('alert').waitFor();
    };
    const forgotten = async (page: Page, mail: string) => {
      await page.goto(forgotUrl(shop.name));
      await page.locator('#mail').fill(mail);
      await page.locator('button').click();
      await page.locator(mail.endsWith('.com') ? '.icon-success' : '[role=alert]').waitFor();
    };
    const mailLink = async (kind: 'verify' | 'reset') => {
      const account = registration({ app_id: shop.name });
      await app.client.post('/v1/user/register', account);
      const link = await app.mailbox.linkTo(account.mail);
      if (kind === 'verify') return app.url + link;
      await app.client.submit(link);
      await app.client.post('/v1/user/password/reset/mail', { mail: account.mail, app_id: shop.name });
      return app.url + (await app.mailbox.linkTo(account.mail, 2));
    };
    const signedInTo = async (page: Page, url: string, person: Person = {}) => {
      await signIn(page, person);
      await page.goto(url);
    };
    const expired = async (page: Page) => {
      await page.goto(loginUrl('pluto'));
      await page.context().clearCookies();
      await page.locator('#account').fill('ann');
      await page.locator('#password').fill('some password');
      await page.locator('button').click();
      await page.locator('.icon-warning').waitFor();
    };

    type Open = (page: Page, language?: Language) => Promise<unknown>;
    const everyPage: [name: string, heading: string, open: Open][] = [
      ['login', 'login.title', (page) => page.goto(loginUrl('pluto'))],
      ['login-wechat', 'login.title', (page) => page.goto(loginUrl(shop.name))],
      ['login-error', 'login.title', (page, language) => wrongPassword(page, shop.name, language)],
      ['signed-in', 'signed-in.title', (page) => signedInTo(page, loginUrl(shop.name))],
      [
        'authorize',
        'authorize.title',
        (page) => signedInTo(page, authorizeUrl(desk, { scopes: 'shop.read shop.buy' })),
      ],
      [
        'authorize-no-scopes',
        'authorize.title',
        (page) => signedInTo(page, authorizeUrl(desk), { role: 'nobody' }),
      ],
      ['forgot', 'password-forgot.title', (page) => page.goto(forgotUrl(shop.name))],
      ['forgot-error', 'password-forgot.title', (page) => forgotten(page, NO_MAIL)],
      ['forgot-done', 'password-forgot-done.title', (page) => forgotten(page, 'nobody@example.com')],
      ['error-client', 'error.title.client', (page) => page.goto(authorizeUrl({ ...desk, key: 'unknown' }))],
      [
        'error-redirect',
        'error.title.redirectUri',
        (page) => page.goto(authorizeUrl(desk, { redirect_uri: 'https://e.com' })),
      ],
      ['error-application', 'error.title.application', (page) => page.goto(loginUrl('unknown'))],
      [
        'error-sign-in',
        'error.title.signIn',
        (page) => page.goto(`${app.url}/web/login/wechat/back?state=x&code=y`),
      ],
      ['error-csrf', 'error.title.csrf', expired],
      ['not-found', 'not-found.title', (page) => page.goto(`${app.url}/web/nothing`)],
      ['verify-mail', 'verify-mail.title', async (page) => page.goto(await mailLink('verify'))],
      ['password-reset', 'password-reset.title', async (page) => page.goto(await mailLink('reset'))],
    ];

    /** What is not to be translated: names, codes, addresses. */
    const proper = [
      ...['王小明', 'WeChat', 'Cookie', 'Pluto', 'pluto', 'desk', 'ID', '127.0.0.1', 'shop.read', 'shop.buy'],
      ...['nobody@example.com', NO_MAIL, ...Object.values(SHOP_NAMES)],
    ];

    async function expectTranslated(page: Page, language: Language): Promise<void> {
      const words = (await page.title()) + '\n' + (await page.getByRole('main').innerText());
      const rest = proper
        .reduce((text, name) => text.replaceAll(name, ''), words)
        .replace(/@\w+|user\d+\S*|User \d+|[0-9a-f-]{36}/g, '');
      expect(rest).not.toMatch(language === 'en' ? /[\u3040-\u30ff\u4e00-\u9fff]/ : /[a-z]{2}/i);
      if (language === 'zh') expect(rest).not.toMatch(/[\u3040-\u30ff]/);
      expect(rest).not.toMatch(/[{}]|undefined|null/);
    }

    it.each(Object.keys(languages) as Language[])(
      'are sound and translated in %s, on phone and desktop, light and dark',
      async (language) => {
        await inBrowser({ locale: languages[language] }, async (page) => {
          for (const [name, heading, open] of everyPage) {
            await page.context().clearCookies();
            await open(page, language);
            await expectSound(page, language, heading, `oauth-${name}`);
            await expectTranslated(page, language);
            await page.setViewportSize(SMALL_PHONE);
            await expectFits(page);
          }
        });
      },
    );

    it.each(everyPage)('give axe nothing to object to: %s', async (_name, _heading, open) => {
      const axe = readFileSync(createRequire(__filename).resolve('axe-core/axe.min.js'), 'utf8');
      await inBrowser({ ...ENGLISH, javaScriptEnabled: true, reducedMotion: 'reduce' }, async (page) => {
        await open(page);
        await page.evaluate(`${axe};0`);
        for (const { device, viewport, colorScheme } of looks) {
          await page.setViewportSize(viewport);
          await page.emulateMedia({ colorScheme });
          const { violations, passes } = await page.evaluate<AxeResults>(
            `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })`,
          );
          const objections = violations.flatMap(({ id, help, nodes }) =>
            nodes.map(({ html, failureSummary }) => `${id}: ${help}\n${html}\n${failureSummary}`),
          );
          expect([device, colorScheme, objections]).toEqual([device, colorScheme, []]);
          expect(passes.map(({ id }) => id)).toEqual(
            expect.arrayContaining(['color-contrast', 'html-has-lang']),
          );
        }
      });
    });

    it('are worked by the keyboard alone', async () => {
      const account = await addAccount(app, { app_id: shop.name });
      await inBrowser(ENGLISH, async (page) => {
        const focused = async () => {
          const { name, outline, width } = await page.evaluate<Record<string, string>>(`(() => {
            const element = document.activeElement;
            const { outlineStyle, outlineWidth } = getComputedStyle(element);
            return { name: element.id || element.innerText, outline: outlineStyle, width: outlineWidth };
          })()`);
          expect([name, outline, width]).toEqual([name, 'solid', '2px']);
          return name;
        };
        const tabs = async (count: number, key = 'Tab') => {
          const names = [await focused()];
          for (let i = 0; i < count; i++) {
            await page.keyboard.press(key);
            names.push(await focused());
            await screenshot(page, `focus-${nextNumber()}-${names.at(-1)!.replace(/\W/g, '')}`);
          }
          return names;
        };

        await page.goto(authorizeUrl(desk));
        expect(await tabs(4)).toEqual([
          ...['account', 'password', 'Sign in', 'Sign in with WeChat', 'Forgot your password?'],
        ]);
        await page.keyboard.press('Enter');
        await headed(page, 'Forgot your password?');
        expect(await tabs(2)).toEqual(['mail', 'Send link', 'Back to sign-in']);
        await page.keyboard.press('Enter');
        await headed(page, 'Sign in');
        await page.keyboard.type(account.mail);
        await page.keyboard.press('Tab');
        await page.keyboard.type('wrong password');
        await page.keyboard.press('Enter');
        await page.getByRole('alert').waitFor();
        expect(await focused()).toBe('password');
        await page.keyboard.type(account.password);
        await page.keyboard.press('Enter');
        await headed(page, 'Allow access?');
        await page.keyboard.press('Tab');
        expect(await tabs(2)).toEqual(['Allow', 'Do not allow', 'Sign out']);
        expect(await tabs(2, 'Shift+Tab')).toEqual(['Sign out', 'Do not allow', 'Allow']);
        await page.keyboard.press('Enter');
        expect(await backAtClient(page)).toMatchObject({ code: expect.any(String) });

        await page.goto(loginUrl(shop.name));
        await page.keyboard.press('Tab');
        expect(await focused()).toBe('Sign out');
        await page.keyboard.press('Space');
        await headed(page, 'Sign in');
      });
    });

    it('keep an empty form', async () => {
      await inBrowser(ENGLISH, async (page) => {
        await page.goto(loginUrl('pluto'));
        await press(page, 'Sign in');
        await page.getByLabel('Email or user ID').fill('ann');
        await press(page, 'Sign in');
        expect(await page.getByRole('alert').count()).toBe(0);
        expect(await page.evaluate('document.activeElement.id')).toBe('password');
      });
    });

    it('hold long names without spilling over', async () => {
      const client = await addClient(app, {
        key: 'k'.repeat(LONG),
        redirectUri: `https://${'long-host-name.'.repeat(16)}example/back`,
      });
      const big = await addApplication(app, {
        name: `${'a'.repeat(90)}${nextNumber()}`,
        roles: { user: [] },
      });
      const mail = `${'m'.repeat(60)}@${'long-domain-name.'.repeat(8)}example`;
      await inBrowser({ ...ENGLISH, viewport: SMALL_PHONE }, async (page) => {
        const expectHeld = async (name: string) => {
          for (const viewport of [SMALL_PHONE, PHONE]) {
            await page.setViewportSize(viewport);
            await expectFits(page);
          }
          await screenshot(page, `long-${name}`);
        };
        await wrongPassword(page, big.name);
        await page.getByLabel('Email or user ID').fill(mail);
        await expectHeld('login');
        await page.goto(forgotUrl(big.name));
        await expectHeld('forgot');
        await page.getByLabel('Email address').fill(mail);
        await press(page, 'Send link');
        await headed(page, 'Check your email');
        await expectHeld('forgot-done');
        const person = { name: 'W'.repeat(60), handle: `${'w'.repeat(90)}${nextNumber()}`, role: 'clerk' };
        await signedInTo(page, authorizeUrl(client, { scopes: longScopes().join(' ') }), person);
        await headed(page, 'Allow access?');
        await expectHeld('authorize');
        await expectSound(page, 'en', 'authorize.title', 'long-authorize');
        await page.goto(loginUrl(shop.name));
        await headed(page, 'You are signed in');
        await expectHeld('signed-in');
      });
    });

    it('show a client that is meant to be markup as it is called', async () => {
      const key = `<img src=x onerror=alert(1)>"'&amp;`;
      const client = await addClient(app, { key, redirectUri: `${site.url}/back` });
      await inBrowser({ ...ENGLISH, javaScriptEnabled: true }, async (page) => {
        await signedInTo(page, authorizeUrl(client));
        expect(await page.getByRole('main').innerText()).toContain(key);
        expect(await page.locator('img').count()).toBe(0);
        await press(page, 'Allow');
        expect(await backAtClient(page)).toMatchObject({ code: expect.any(String), state: STATE });
      });
    });
  });
});

/** As long as scopes may be. */
function longScopes(): string[] {
  return Array.from({ length: 12 }, (_, index) => `${'s'.repeat(58)}${index.toString().padStart(2, '0')}`);
}
