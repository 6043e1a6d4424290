import { registration, type TestAccount } from './accounts.js';
import { startTestApp, type TestApp } from './app.js';
import { addApplication, type TestApplication } from './applications.js';
import { type Answer } from './client.js';
import { expectOk } from './expectations.js';
import { countLinksOf } from './link-requests.js';

export let app: TestApp;
export let shop: TestApplication;

export function register(account: object, server = app): Promise<Answer> {
  return server.client.post('/v1/user/register', account);
}

export function tryLogin({ mail, password, app_id }: TestAccount, server = app): Promise<Answer> {
  return server.client.post('/v1/user/login/account', { account: mail, password, app_id });
}

export async function registerPending(change: Partial<TestAccount> = {}): Promise<TestAccount> {
  const account = registration(change);
  expectOk(await register(account));
  return account;
}

export function countLinks(server = app): Promise<number> {
  return countLinksOf(server);
}

/** Starts a server with the shop that people register with. */
export function useRegistrations(): void {
  beforeAll(async () => {
    app = await startTestApp();
    shop = await addApplication(app, { name: 'org.example.shop', roles: { customer: ['shop.buy'] } });
  });
  afterAll(() => app.close());
}
