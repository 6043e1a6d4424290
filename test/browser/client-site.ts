import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { ApplicationName } from '../../src/applications/application-name.entity.js';
import { ApplicationSettingsService } from '../../src/applications/application-settings.service.js';
import { PageSessionsService } from '../../src/token/page-sessions.service.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication, giveRole, type TestApplication } from '../support/applications.js';
import { launchChromium } from '../support/chromium.js';
import { nextNumber } from '../support/client.js';
import { addClient, type TestOAuthClient } from '../support/oauth.js';
import { NOBODYS_REQUEST } from '../support/request-context.js';
import { addUser } from '../support/users.js';
import { FakeWechat, WECHAT_WEB_APP } from '../support/wechat.js';
import { languages, visitPages } from './support.js';

export const STATE = 'a b+c%20&d=é"<>';
export const SHOP_NAMES = { en: 'Corner Shop', zh: '街角商店', ja: '角の店' } as const;
export const ENGLISH = { locale: languages.en };

/** The site of a client, with its own origin. Pages are added by path; `/back` exists. */
export class ClientSite {
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

export function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><title>${title}</title><link rel="icon" href="data:,"><h1>${title}</h1>${body}`;
}

export let wechat: FakeWechat;
export let app: TestApp;
export let browser: Browser;
export let site: ClientSite;
export let shop: TestApplication;
export let desk: TestOAuthClient;

export const place = () => ({ browser, origins: [app.url, site.url] });
export const inBrowser = (options: BrowserContextOptions, visit: (page: Page) => Promise<void>) =>
  visitPages(place(), options, visit);

/** The authorization URL of a client; undefined omits a parameter. */
export function authorizeUrl(
  client: TestOAuthClient,
  change: Record<string, string | undefined> = {},
): string {
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

export const loginUrl = (appId: string) => `${app.url}/web/login?app_id=${appId}`;
export const forgotUrl = (appId: string) => `${app.url}/web/password/forgot?app_id=${appId}`;

export interface Person {
  name?: string;
  handle?: string;
  role?: string;
}

/** Gives the browser a session of a new user, without hashing a password. */
export async function signIn(
  page: Page,
  { name = '王小明', handle = `ann${nextNumber()}`, role }: Person = {},
): Promise<string> {
  const userId = await addUser(app, { applicationId: shop.id, name, handle });
  if (role !== undefined) await giveRole(app, userId, shop, role);
  const value = await app.app
    .get(PageSessionsService)
    .open(app.dataSource.manager, { userId, applicationId: shop.id, signedInBy: 'password' });
  await page.context().addCookies([{ name: 'access_token', value, domain: '127.0.0.1', path: '/web' }]);
  return handle;
}

export const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();
export const headed = (page: Page, name: string) =>
  page.getByRole('heading', { name, exact: true, level: 1 }).waitFor();

/** Waits for the browser to be at the client. @returns the query there */
export async function backAtClient(page: Page): Promise<Record<string, string>> {
  await headed(page, 'Back at Desk');
  expect(page.url().startsWith(desk.redirectUri)).toBe(true);
  return Object.fromEntries(new URL(page.url()).searchParams);
}

/** Scopes of maximum length. */
export function longScopes(): string[] {
  return Array.from({ length: 12 }, (_, index) => `${'s'.repeat(58)}${index.toString().padStart(2, '0')}`);
}

/** Starts a browser, a server with a shop, and the site of a client, Desk. */
export function useClientSite(): void {
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
}
