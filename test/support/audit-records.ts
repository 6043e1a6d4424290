import { registration, type TestAccount } from './accounts.js';
import { Caller, firstAdministrator } from './administration.js';
import { openSession } from './sessions.js';
import { ADMIN, startTestApp, type TestApp } from './app.js';
import { addApplication, type TestApplication } from './applications.js';
import { readAudit, type Recorded } from './audit.js';
import { type Answer } from './client.js';
import { FakeGoogle } from './google.js';
import { decodeToken } from './tokens.js';
import { addUser } from './users.js';

export const ADDRESS = '203.0.113.9';
export const FROM = { 'x-forwarded-for': ADDRESS };

export let google: FakeGoogle;
export let app: TestApp;
export let admin: Caller;
export let adminId: number;
export let desk: TestApplication;
/** User input that the trail must not contain. */
export const typed: string[] = [ADMIN.mail, ADMIN.password];

export const list = (query: Record<string, string | number> = {}) => readAudit(admin, query);

/** Everything recorded of an account, newest first. */
export const ofAccount = async (userId: number) => (await list({ user_id: userId })).events;

/** A request from the address that the records are to name. */
export function send(caller: Caller, method: string, path: string, body?: unknown): Promise<Answer> {
  return caller.request(method, path, { headers: FROM, ...(body !== undefined && { body }) });
}

export interface Person {
  id: number;
  account: TestAccount;
  caller: Caller;
  /** As the records name them. */
  actor: Recorded['actor'];
}

/** A confirmed account, signed in without its password. */
export async function newPerson(applicationId?: number, app_id = 'pluto'): Promise<Person> {
  const account = registration({ app_id });
  typed.push(account.mail, account.user_id, account.name);
  const id = await addUser(app, {
    handle: account.user_id,
    name: account.name,
    identities: [{ loginType: 'mail', mail: account.mail }],
    ...(applicationId !== undefined && { applicationId }),
  });
  const { accessToken } = await openSession(app, id, app_id);
  const caller = new Caller(app.client, accessToken);
  return { id, account, caller, actor: { kind: 'user', user_id: id, client: '' } };
}

/** The details of all events so far. */
export async function recordedDetails(): Promise<string> {
  const rows = await app.dataSource.query<{ detail: string }[]>('SELECT detail FROM audit_events');
  return rows.map(({ detail }) => detail).join('\n');
}

/** Starts a server, and asserts at the end that no event contains user input. */
export function useAuditRecords(): void {
  beforeAll(async () => {
    google = await FakeGoogle.start();
    app = await startTestApp({ env: { ...google.env, TRUST_PROXY: '127.0.0.1' } });
    admin = await firstAdministrator(app);
    adminId = decodeToken(admin.token).claims.sub;
    desk = await addApplication(app, { name: 'org.example.desk', roles: { guest: ['look', 'touch'] } });
  });
  afterAll(async () => {
    const details = await recordedDetails();
    expect(typed.filter((text) => details.includes(text))).toEqual([]);
    await app.close();
    await google.close();
  });
}
