import { mailKey } from '../../src/common/mail-addresses.js';
import { Identity } from '../../src/users/identity.entity.js';
import { type TestAccount } from './accounts.js';
import { openSession } from './sessions.js';
import { startTestApp, type TestApp } from './app.js';
import { addApplication, type TestApplication } from './applications.js';
import { nextNumber, type Answer } from './client.js';
import { thawClock } from './clock.js';
import { expectOk } from './expectations.js';
import { openForm, sendForm, type OpenForm } from './forms.js';
import { addUser } from './users.js';

export const [CONFIRMED, ALREADY, DEAD] = [
  'Email address confirmed',
  'Already confirmed',
  'This link does not work',
];

export let app: TestApp;
/** Another server on the same database, with SKIP_REGISTER_VERIFY_MAIL. */
export let skipping: TestApp;
export let shop: TestApplication;

export interface Account {
  id: number;
  token: string;
  handle: string;
  name: string;
  google: { login_type: 'google'; mail: string };
}

/** A mail that was bound and not confirmed, with its link as a browser has opened it. */
export interface Pending extends Account {
  mail: string;
  form: OpenForm;
}

/** An account that was made by Google, signed in. */
export async function account(application?: TestApplication): Promise<Account> {
  const number = nextNumber();
  const [handle, name, mail] = [`grace${number}`, `Grace ${number}`, `grace${number}@gmail.com`];
  const identities = [{ loginType: 'google' as const, mail }];
  const place = application && { applicationId: application.id };
  const id = await addUser(app, { ...place, handle, name, identities });
  const { accessToken: token } = await openSession(app, id, application?.name ?? 'pluto');
  return { id, token, handle, name, google: { login_type: 'google', mail } };
}

export function newMail(): string {
  return `ann${nextNumber()}@example.com`;
}

export function bind({ token }: Account, mail: unknown, server = app, headers = {}): Promise<Answer> {
  return server.client.post('/v1/user/binding', { type: 'mail', mail }, { token, headers });
}

export function unbind({ token }: Account): Promise<Answer> {
  return app.client.post('/v1/user/unbinding', { type: 'mail' }, { token });
}

export async function pending(): Promise<Pending> {
  const [owner, mail] = [await account(), newMail()];
  expectOk(await bind(owner, mail), {});
  return { ...owner, mail, form: await openForm(app.client, await app.mailbox.linkTo(mail)) };
}

/** With the handle, in case that the mail is contested. */
export function confirm({ form, handle }: Pending): Promise<Answer> {
  return sendForm(app.client, form, { user_id: handle });
}

export async function infoOf({ token }: Account): Promise<Record<string, unknown>> {
  return (await app.client.get('/v1/user/info', { token })).body as Record<string, unknown>;
}

export async function expectMail(owner: Account, mail: string): Promise<void> {
  const bindings = [owner.google, ...(mail === '' ? [] : [{ login_type: 'mail', mail }])];
  expect(await infoOf(owner)).toMatchObject({ sub: owner.id, mail, verified: true, bindings });
}

export function register(account: TestAccount): Promise<Answer> {
  return app.client.post('/v1/user/register', account);
}

/** Who has given the mail, confirmed or not. */
export function ownersOf(mail: string): Promise<Identity[]> {
  const key = mailKey(mail);
  const where = [{ subjectKey: key }, { pendingKey: key }].map((one) => ({
    loginType: 'mail' as const,
    ...one,
  }));
  return app.dataSource.manager.find(Identity, { where, order: { id: 'ASC' } });
}

/** Starts a server with people who have no mail yet. */
export function useMailOwners(): void {
  // Passport has one strategy of a name in a process: the server that was started last checks all tokens. So
  // both are there from the first test to the last.
  beforeAll(async () => {
    app = await startTestApp({ env: { GOOGLE_CLIENT_IDS: 'ios.example.com' } });
    skipping = await startTestApp({ on: app, env: { SKIP_REGISTER_VERIFY_MAIL: 'true' }, sendMails: false });
    shop = await addApplication(app, { name: 'org.example.shop', roles: { customer: ['shop.buy'] } });
  });
  afterEach(thawClock);
  afterAll(async () => {
    await skipping.stop();
    await app.close();
  });
}
