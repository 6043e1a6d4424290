import { hashSync } from '@node-rs/argon2';
import { Transactions } from '../../src/database/transactions.js';
import { ApplicationsService } from '../../src/applications/applications.service.js';
import { MailIdentitiesService } from '../../src/users/mail-identities.service.js';
import type { TestApp } from './app.js';
import { nextNumber, type Answer } from './client.js';
import { LIGHT_HASHES } from './quick-start.js';
import { openSession } from './sessions.js';

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

/** Inserts an account with a confirmed mail into the database. @returns it with its id */
export async function addAccount(
  { app }: TestApp,
  change: Partial<TestAccount> = {},
): Promise<TestAccount & { id: number }> {
  const account = registration(change);
  const { mail, user_id: handle, name, password, app_id } = account;
  const { id: applicationId } = await app.get(ApplicationsService).getByName(app_id);
  const passwordHash = hashSync(password, LIGHT_HASHES);
  const { user } = await app.get(Transactions).runFor(null, (manager) =>
    app.get(MailIdentitiesService).createAccount(manager, {
      applicationId,
      mail,
      handle,
      name,
      passwordHash,
    }),
  );
  return { ...account, id: user.id };
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
  { device_id }: { device_id?: string } = {},
): Promise<Tokens> {
  const { mail, password, app_id = 'pluto' } = account;
  const body = { account: mail, password, app_id, device_id };
  const answer = await app.client.post('/v1/user/login/account', body);
  expectOk(answer);
  return answer.body as Tokens;
}

/** A signed-in account, created without a request. */
export async function signedIn(
  app: TestApp,
  change: Partial<TestAccount> = {},
): Promise<{ account: TestAccount; tokens: Tokens; token: string }> {
  const account = await addAccount(app, change);
  const pair = await openSession(app, account.id, account.app_id);
  const tokens = {
    access_token: pair.accessToken,
    access_token_expire_at: pair.accessTokenExpiresAt,
    refresh_token: pair.refreshToken,
    refresh_token_expire_at: pair.refreshTokenExpiresAt,
    type: 'Bearer',
  };
  return { account, tokens, token: tokens.access_token };
}

function expectOk(answer: Answer): void {
  if (answer.status !== 200) throw new Error(`expected success, got ${answer.status}: ${answer.text}`);
}
