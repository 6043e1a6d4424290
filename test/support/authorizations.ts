import { AuthorizationCode } from '../../src/oauth/authorization-code.entity.js';
import { OAuthClient, type ClientStatus } from '../../src/oauth/oauth-client.entity.js';
import { PageSessionsService } from '../../src/token/page-sessions.service.js';
import { Session } from '../../src/token/session.entity.js';
import { startTestApp, type TestApp } from './app.js';
import { addApplication, giveRole, type TestApplication } from './applications.js';
import { Browser, type PageAnswer } from './browser.js';
import { nextNumber } from './client.js';
import { expectPage } from './expectations.js';
import { addUser } from './users.js';

export const PATH = '/web/authorize';
export const BACK = 'https://client.example/back';
export const ISSUER = 'http://pluto.test/oauth2';
export const STATE = 'a b+c%20&d=é"<>';
export const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';
export const EVIL = `"'><script>alert(1)</script>&amp;{{x}}`;
export const REGISTERED = {
  desk: BACK,
  tenant: 'https://client.example/back?tenant=1',
  loopback: 'http://127.0.0.1:8099/back',
  loopback6: 'http://[::1]:8099/back',
  odd: 'https://client;x/back',
  native: 'org.example.desk:/back',
  [`<b>"&'desk`]: BACK,
};

export type Parameters = Record<string, string | undefined>;

export let app: TestApp;
export let shop: TestApplication;
export let userId: number;
export let reader: Browser;

export async function addClient(
  key: string,
  { redirectUri = BACK, status = 'approved' }: { redirectUri?: string; status?: ClientStatus } = {},
): Promise<void> {
  const client = { key, redirectUri, status, secretHash: 'none', userId: null, createdAt: 1 };
  await app.dataSource.manager.save(OAuthClient, client);
}

/** A browser with a session of somebody new, made without hashing a password. */
export async function signedIn(role?: string): Promise<{ userId: number; browser: Browser; name: string }> {
  const name = `Ann ${nextNumber()}`;
  const id = await addUser(app, { applicationId: shop.id, name });
  if (role !== undefined) await giveRole(app, id, shop, role);
  const owner = { userId: id, applicationId: shop.id, signedInBy: 'password' as const };
  const token = await app.app.get(PageSessionsService).open(app.dataSource.manager, owner);
  const browser = new Browser(app.url);
  browser.plant('access_token', token);
  return { userId: id, browser, name };
}

/** What a client sends the browser with; undefined leaves a parameter out. */
export function request(change: Parameters = {}): Record<string, string> {
  const usual = {
    client_id: 'desk',
    app_id: shop.name,
    redirect_uri: BACK,
    response_type: 'code',
    state: STATE,
  };
  const given = Object.entries({ ...usual, ...change }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}

export function address(change: Parameters = {}): string {
  return `${PATH}?${new URLSearchParams(request(change)).toString()}`;
}

export function open(change: Parameters = {}, by = reader): Promise<PageAnswer> {
  return by.get(address(change));
}

/** What the client reads where the browser comes back; it knows by `iss` that this server answers. */
export function query({ status, location }: PageAnswer): Record<string, string> {
  expect(status).toBe(302);
  return fromIssuer(new URL(location).searchParams);
}

export function fragment({ status, location }: PageAnswer): Record<string, string> {
  expect(status).toBe(302);
  expect(new URL(location).search).toBe('');
  return fromIssuer(new URLSearchParams(new URL(location).hash.slice(1)));
}

function fromIssuer(parameters: URLSearchParams): Record<string, string> {
  expect(parameters.getAll('iss')).toEqual([ISSUER]);
  parameters.delete('iss');
  return Object.fromEntries(parameters);
}

export const countGrants = async () => [
  await app.dataSource.manager.count(AuthorizationCode),
  await app.dataSource.manager.count(Session),
];

/** Asserts a page that goes nowhere. */
export function expectNoWay(answer: PageAnswer, status: number, text: string): void {
  expectPage(answer, status, text);
  expect(answer.location).toBe('');
  expect(answer.text).not.toMatch(/<script|http-equiv/i);
}

/** Starts a server with a shop, a client, and somebody who is signed in. */
export function useAuthorizations(): void {
  beforeAll(async () => {
    app = await startTestApp();
    shop = await addApplication(app, {
      name: 'org.example.shop',
      roles: {
        customer: ['shop.read', 'shop.buy', 'shop.rate'],
        nobody: [],
        clerk: ['shop.sell', 'shop.read'],
      },
    });
    for (const [key, redirectUri] of Object.entries(REGISTERED)) await addClient(key, { redirectUri });
    ({ userId, browser: reader } = await signedIn());
  });
  afterAll(() => app.close());
}
