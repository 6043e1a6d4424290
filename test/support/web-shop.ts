import { ApplicationName } from '../../src/applications/application-name.entity.js';
import { PageSession } from '../../src/token/page-session.entity.js';
import { addAccount, type TestAccount } from './accounts.js';
import { startTestApp, type TestApp } from './app.js';
import { addApplication, type TestApplication } from './applications.js';
import { Browser, type Cookie, type PageAnswer } from './browser.js';
import { FakeWechat } from './wechat.js';

export const LOGIN = '/web/login';
export const FORGOT = '/web/password/forgot';
export const PAGE_SESSION_TTL_SECONDS = 14 * 24 * 60 * 60;
export const AUTHORIZE = '/web/authorize?client_id=desk&state=a%2Bb+c%2520%26d%3D%C3%A9%22%3C%3E&x=//e.com';

export let wechat: FakeWechat;
export let app: TestApp;
export let shop: TestApplication;
export let ann: TestAccount;

export const browser = (language?: string) => new Browser(app.url, language);
export const countSessions = () => app.dataSource.manager.count(PageSession);

export function pathTo(path: string, query: Record<string, string>): string {
  return `${path}?${new URLSearchParams(query).toString()}`;
}

/** Opens the sign-in page and sends the form. */
export async function signIn(
  by: Browser,
  { account = ann, password = account.password, query = {} }: SignIn = {},
): Promise<PageAnswer> {
  const page = await by.get(pathTo(LOGIN, { app_id: account.app_id, ...query }));
  return by.submit(page.forms[0], { account: account.mail, password });
}
interface SignIn {
  account?: TestAccount;
  password?: string;
  query?: Record<string, string>;
}

export async function isSignedIn(by: Browser, appId = 'pluto'): Promise<boolean> {
  const page = await by.get(pathTo(LOGIN, { app_id: appId }));
  expect(page.status).toBe(200);
  return page.words.includes('You are signed in');
}

export function sessionCookie(answer: PageAnswer): Cookie | undefined {
  return answer.setCookies.find(({ name }) => name === 'access_token');
}

export function expectSentTo(answer: PageAnswer, location: string): void {
  expect([answer.status, answer.location]).toEqual([302, location]);
}

/** Starts a server with the shop that people sign in to, and one of them. */
export function useWebShop(): void {
  beforeAll(async () => {
    wechat = await FakeWechat.start();
    app = await startTestApp({ env: wechat.env });
    shop = await addApplication(app, { name: 'org.example.shop', roles: { customer: ['shop.buy'] } });
    const names = { en: 'Corner Shop', ja: '角の店', zh: '街角商店' };
    for (const [tag, name] of Object.entries(names))
      await app.dataSource.manager.insert(ApplicationName, { applicationId: shop.id, tag, name });
    ann = await addAccount(app);
  });
  afterEach(() => wechat.assertNothingUnexpected());
  afterAll(async () => {
    await app.close();
    await wechat.close();
  });
}
