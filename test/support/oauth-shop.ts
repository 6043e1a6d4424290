import { login, addAccount, type TestAccount, type Tokens } from './accounts.js';
import { startTestApp, type TestApp } from './app.js';
import { addApplication, type TestApplication } from './applications.js';
import { thawClock } from './clock.js';
import { expectOk } from './expectations.js';
import { addClient, askTokens, Browser, getTokens, type Fields, type TestOAuthClient } from './oauth.js';
import { decodeToken } from './tokens.js';

export const HOUR_SECONDS = 3600;
export const ROLES = {
  customer: ['shop.buy', 'shop.look', 'shop.rate'],
  guest: ['shop.look'],
};

export let app: TestApp;
export let shop: TestApplication;
/** A customer of the shop, signed in to its pages. */
export let ann: TestAccount;
export let browser: Browser;
export let client: TestOAuthClient;
export let other: TestOAuthClient;

export const ask = (fields: Fields, by: TestOAuthClient | null = client) => askTokens(app, by, fields);
export const get = (fields: Fields, by = client) => getTokens(app, by, fields);
export const info = (token: string) => app.client.get('/v1/user/info', { token });
export const claimsOf = ({ access_token }: Tokens) => decodeToken(access_token).claims;
export const scopesOf = (tokens: Tokens) => claimsOf(tokens).scopes;

export function refreshOf({ refresh_token }: { refresh_token: string }, change: Fields = {}): Fields {
  return { grant_type: 'refresh_token', refresh_token, app_id: shop.name, ...change };
}

export function passwordOf({ mail, password, app_id }: TestAccount, change: Fields = {}): Fields {
  return { grant_type: 'password', user: mail, password, app_id, ...change };
}

export function ownOf(app_id: string, change: Fields = {}): Fields {
  return { grant_type: 'client_credentials', app_id, ...change };
}

/** Someone else, of the shop or of an application that a test may change. */
export async function newcomer(app_id = shop.name): Promise<{ account: TestAccount; browser: Browser }> {
  const account = await addAccount(app, { app_id });
  return { account, browser: await Browser.signIn(app, account) };
}

export async function erase(account: TestAccount): Promise<void> {
  const { access_token: token } = await login(app, account);
  expectOk(await app.client.post('/v1/user/delete', undefined, { token }));
}

export async function resetPassword({ mail, app_id }: TestAccount): Promise<void> {
  expectOk(await app.client.post('/v1/user/password/reset/mail', { mail, app_id }));
  const fields = { password: 'another password', password_repeat: 'another password' };
  const done = await app.client.submit(await app.mailbox.linkTo(mail), fields);
  expect(done.status).toBe(200);
}

/** Starts a server with an application and clients. */
export function useOAuth(): void {
  beforeAll(async () => {
    app = await startTestApp();
    shop = await addApplication(app, { name: 'org.example.shop', roles: ROLES });
    ann = await addAccount(app, { app_id: shop.name });
    browser = await Browser.signIn(app, ann);
    client = await addClient(app, { applications: [shop.name] });
    other = await addClient(app);
  });
  afterAll(() => app.close());
  afterEach(thawClock);
}
