import { type Tokens } from './accounts.js';
import { startTestApp, type TestApp } from './app.js';
import { addApplication, type TestApplication } from './applications.js';
import type { Answer } from './client.js';
import { thawClock } from './clock.js';
import { expectOk } from './expectations.js';
import { decodeToken } from './tokens.js';

export const HOUR_SECONDS = 3600;
export const DAY_SECONDS = 24 * HOUR_SECONDS;

export let app: TestApp;
export let shop: TestApplication;

export function refresh({ refresh_token }: { refresh_token: unknown }, change: object = {}): Promise<Answer> {
  return app.client.post('/v1/token/refresh', { refresh_token, app_id: 'pluto', ...change });
}

export async function refreshed(tokens: { refresh_token: string }, change: object = {}): Promise<Tokens> {
  const answer = await refresh(tokens, change);
  expectOk(answer);
  return answer.body as Tokens;
}

export function info(token: string): Promise<Answer> {
  return app.client.get('/v1/user/info', { token });
}

export function sessionIdOf({ access_token }: Tokens): string {
  return decodeToken(access_token).claims.sid;
}

/** Starts a server with the application `shop`. */
export function useShop(): void {
  beforeAll(async () => {
    app = await startTestApp();
    shop = await addApplication(app, {
      name: 'org.example.shop',
      roles: {
        customer: ['shop.buy', 'shop.look', 'shop.rate'],
        guest: ['shop.look'],
        nobody: [],
      },
    });
  });
  afterAll(() => app.close());
  afterEach(thawClock);
}
