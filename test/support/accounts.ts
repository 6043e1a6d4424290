import type { TestApp } from './app.js';
import { nextNumber, type Answer } from './client.js';

export interface TestAccount {
  mail: string;
  user_id: string;
  name: string;
  password: string;
  app_id: string;
}

/** What a registration sends; name only what matters. */
export function registration(change: Partial<TestAccount> = {}): TestAccount {
  const number = nextNumber();
  return {
    mail: `user${number}@example.com`,
    user_id: `user${number}`,
    name: `User ${number}`,
    password: `password of user ${number}`,
    app_id: 'pluto',
    ...change,
  };
}

/** Registers an account and confirms its mail by the link that was sent. */
export async function registerVerified(
  app: TestApp,
  change: Partial<TestAccount> = {},
): Promise<TestAccount> {
  const account = registration(change);
  expectOk(await app.client.post('/v1/user/register', account));
  const confirmed = await app.client.submit(await app.mailbox.linkTo(account.mail));
  if (confirmed.status !== 200) throw new Error(`confirming failed: ${confirmed.text}`);
  return account;
}

export interface Tokens {
  access_token: string;
  access_token_expire_at: number;
  refresh_token: string;
  refresh_token_expire_at: number;
  type: string;
}

export async function login(
  app: TestApp,
  account: Pick<TestAccount, 'mail' | 'password'> & { app_id?: string },
): Promise<Tokens> {
  const { mail, password, app_id = 'pluto' } = account;
  const answer = await app.client.post('/v1/user/login/account', { account: mail, password, app_id });
  expectOk(answer);
  return answer.body as Tokens;
}

/** An account that is signed in. */
export async function signedIn(
  app: TestApp,
  change: Partial<TestAccount> = {},
): Promise<{ account: TestAccount; tokens: Tokens; token: string }> {
  const account = await registerVerified(app, change);
  const tokens = await login(app, account);
  return { account, tokens, token: tokens.access_token };
}

function expectOk(answer: Answer): void {
  if (answer.status !== 200) throw new Error(`expected success, got ${answer.status}: ${answer.text}`);
}
