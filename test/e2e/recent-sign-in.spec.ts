import { Transactions } from '../../src/database/transactions.js';
import { PageSessionsService } from '../../src/token/page-sessions.service.js';
import { Session } from '../../src/token/session.entity.js';
import { addAccount, login } from '../support/accounts.js';
import { firstAdministrator } from '../support/administration.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication, type TestApplication } from '../support/applications.js';
import { nextNumber, type Answer } from '../support/client.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { FakeGoogle } from '../support/google.js';
import { openSession } from '../support/sessions.js';

const FRESH_SECONDS = 600;

let google: FakeGoogle;
let app: TestApp;
let strict: TestApplication;
let lax: TestApplication;
beforeAll(async () => {
  google = await FakeGoogle.start();
  app = await startTestApp({ env: { ...google.env, ACCESS_TOKEN_TTL: '7200' } });
  strict = await addApplication(app, { name: 'org.example.strict', roles: { reader: ['read'] } });
  lax = await addApplication(app, { name: 'org.example.lax', roles: { reader: ['read'] } });
  await requireRecent(strict, true);
});
beforeEach(() => freezeClock());
afterEach(() => {
  thawClock();
  google.assertNothingUnexpected();
});
afterAll(async () => {
  await app.close();
  await google.close();
});

async function requireRecent({ id }: TestApplication, value: unknown): Promise<Answer> {
  const admin = await firstAdministrator(app);
  return admin.put('/v1/rbac/application/settings', { app_id: id, require_recent_sign_in: value });
}

interface Owner {
  id: number;
  mail: string;
  password: string;
  token: string;
}

async function owner(application = strict): Promise<Owner> {
  const { id, mail, password, app_id } = await addAccount(app, { app_id: application.name });
  const { access_token: token } = await login(app, { mail, password, app_id });
  return { id, mail, password, token };
}

const reauthenticate = ({ token }: Pick<Owner, 'token'>, body: object) =>
  app.client.post('/v1/user/reauthenticate', body, { token });

async function bindGoogle({ token }: Pick<Owner, 'token'>, sub: string): Promise<Answer> {
  const body = { type: 'google', id_token: await google.idToken({ sub }) };
  return app.client.post('/v1/user/binding', body, { token });
}

const newSub = () => `77${nextNumber()}`;

/** Everything that asks for a recent sign-in, least harmful first. */
const changes: [string, (owner: Owner) => Promise<Answer>][] = [
  ['binding', (one) => bindGoogle(one, newSub())],
  [
    'a change of the mail address',
    ({ token }) =>
      app.client.post('/v1/user/mail/change', { mail: `new${nextNumber()}@example.com` }, { token }),
  ],
  [
    'a change of the password',
    ({ token, password }) =>
      app.client.post(
        '/v1/user/password/change',
        { old_password: password, new_password: password },
        { token },
      ),
  ],
  ['unbinding', ({ token }) => app.client.post('/v1/user/unbinding', { type: 'google' }, { token })],
  ['deletion', ({ token }) => app.client.post('/v1/user/delete', undefined, { token })],
];

describe('with require_recent_sign_in', () => {
  it.each(changes)('%s is refused with 3013 more than ten minutes after the sign-in', async (_, change) => {
    const ann = await owner();
    passSeconds(FRESH_SECONDS + 1);
    expectFailure(await change(ann), 403, 3013, 'Sign in again first');
    expectOk(await app.client.get('/v1/user/info', { token: ann.token }));
  });

  it('all of them are allowed until then, and again after reauthentication', async () => {
    const ann = await owner();
    passSeconds(FRESH_SECONDS);
    expectOk(await changes[0]![1](ann), {});
    passSeconds(1);
    expectFailure(await changes[1]![1](ann), 403, 3013);
    expectOk(await reauthenticate(ann, { password: ann.password }), {});
    passSeconds(FRESH_SECONDS);
    for (const [, change] of changes.slice(1)) expectOk(await change(ann), {});
  });

  it('reading needs no recent sign-in, nor does a change of the profile', async () => {
    const ann = await owner();
    passSeconds(FRESH_SECONDS + 1);
    expectOk(await app.client.put('/v1/user/info', { name: 'Ann' }, { token: ann.token }), {});
  });

  it('a refresh is no sign-in', async () => {
    const { mail, password, app_id } = await addAccount(app, { app_id: strict.name });
    const { refresh_token } = await login(app, { mail, password, app_id });
    passSeconds(FRESH_SECONDS + 1);
    const refreshed = await app.client.post('/v1/token/refresh', { refresh_token, app_id });
    const { access_token: token } = refreshed.body as { access_token: string };
    expectFailure(await bindGoogle({ token }, newSub()), 403, 3013);
  });

  it('a session that was not opened by a sign-in is refused', async () => {
    const { id } = await addAccount(app, { app_id: strict.name });
    const { accessToken: token } = await openSession(app, id, strict.name);
    expectFailure(await bindGoogle({ token }, newSub()), 403, 3013);
  });

  it('a sign-in by a provider is recent, and proves it again', async () => {
    const sub = newSub();
    const body = { id_token: await google.idToken({ sub }), app_id: strict.name };
    const signedIn = await app.client.post('/v1/user/login/google/mobile', body);
    const { access_token: token } = signedIn.body as { access_token: string };
    passSeconds(FRESH_SECONDS + 1);
    const erase = () => app.client.post('/v1/user/delete', undefined, { token });
    expectFailure(await erase(), 403, 3013);
    const again = { type: 'google', id_token: await google.idToken({ sub }) };
    expectOk(await reauthenticate({ token }, again), {});
    expectOk(await erase(), {});
  });
});

describe('without it', () => {
  it('which is the default, no change asks for a recent sign-in', async () => {
    const ann = await owner(lax);
    passSeconds(FRESH_SECONDS + 1);
    for (const [, change] of changes) expectOk(await change(ann), {});
  });

  it('is set and shown by administrators, as true or false', async () => {
    expectOk(await requireRecent(lax, true), expect.objectContaining({ require_recent_sign_in: true }));
    expectOk(await requireRecent(lax, undefined), expect.objectContaining({ require_recent_sign_in: true }));
    expectOk(await requireRecent(lax, false), expect.objectContaining({ require_recent_sign_in: false }));
    for (const value of ['true', 1, '']) expectFailure(await requireRecent(lax, value), 400, 1001);
  });
});

describe('POST /v1/user/reauthenticate', () => {
  it('refuses a wrong password with 3001, and leaves the session as it was', async () => {
    const ann = await owner();
    passSeconds(FRESH_SECONDS + 1);
    expectFailure(await reauthenticate(ann, { password: 'wrong password' }), 403, 3001);
    expectFailure(await bindGoogle(ann, newSub()), 403, 3013);
  });

  it("refuses another account's password and person", async () => {
    const [ann, bob] = [await owner(), await owner()];
    const sub = newSub();
    expectOk(await bindGoogle(bob, sub), {});
    passSeconds(FRESH_SECONDS + 1);
    expectFailure(await reauthenticate(ann, { password: bob.password }), 403, 3001);
    for (const one of [sub, newSub()]) {
      const body = { type: 'google', id_token: await google.idToken({ sub: one }) };
      expectFailure(await reauthenticate(ann, body), 403, 2008);
    }
    expectFailure(await bindGoogle(ann, newSub()), 403, 3013);
  });

  it('refuses an account without a password with 2009', async () => {
    const body = { id_token: await google.idToken({ sub: newSub() }), app_id: strict.name };
    const signedIn = await app.client.post('/v1/user/login/google/mobile', body);
    const { access_token: token } = signedIn.body as { access_token: string };
    expectFailure(await reauthenticate({ token }, { password: 'any password' }), 400, 2009);
  });

  it.each([
    [{}],
    [{ password: 'a password', type: 'google' }],
    [{ type: 'google' }],
    [{ type: 'google', code: 'code' }],
    [{ type: 'apple', id_token: 'token' }],
    [{ type: 'mail', code: '123456' }],
    [{ password: 7 }],
  ])('refuses %j with 1001', async (body) => {
    expectFailure(await reauthenticate(await owner(), body), 400, 1001);
  });

  it('is for its own session only', async () => {
    const ann = await owner();
    const { access_token: token } = await login(app, { ...ann, app_id: strict.name });
    passSeconds(FRESH_SECONDS + 1);
    expectOk(await reauthenticate(ann, { password: ann.password }), {});
    expectFailure(await bindGoogle({ token }, newSub()), 403, 3013);
  });
});

describe('POST /v1/user/unbinding', () => {
  it('ends the sessions that came in by what is unbound, and no others', async () => {
    const ann = await owner(lax);
    const sub = newSub();
    expectOk(await bindGoogle(ann, sub), {});
    const byGoogle = async () => {
      const body = { id_token: await google.idToken({ sub }), app_id: lax.name };
      const { access_token, refresh_token } = (await app.client.post('/v1/user/login/google/mobile', body))
        .body as { access_token: string; refresh_token: string };
      return { access_token, refresh_token };
    };
    const [thief, other] = [await byGoogle(), await byGoogle()];
    expectOk(await app.client.post('/v1/user/unbinding', { type: 'google' }, { token: ann.token }), {});
    for (const { access_token: token, refresh_token } of [thief, other]) {
      expectFailure(await app.client.get('/v1/user/info', { token }), 403, 3009);
      const refresh = { refresh_token, app_id: lax.name };
      expectFailure(await app.client.post('/v1/token/refresh', refresh), 403, 3002);
    }
    expectOk(await app.client.get('/v1/user/info', { token: ann.token }));
  });

  it('ends the sessions of browsers, which may have come in by it', async () => {
    const ann = await owner(lax);
    expectOk(await bindGoogle(ann, newSub()), {});
    const pages = app.app.get(PageSessionsService);
    const token = await app.app
      .get(Transactions)
      .run((manager) => pages.open(manager, { userId: ann.id, applicationId: lax.id, signedInBy: '' }));
    expect(await pages.find(token)).not.toBeNull();
    expectOk(await app.client.post('/v1/user/unbinding', { type: 'google' }, { token: ann.token }), {});
    expect(await pages.find(token)).toBeNull();
  });

  it('of the mail ends those by password, but not the one that asks', async () => {
    const ann = await owner(lax);
    const elsewhere = await login(app, { ...ann, app_id: lax.name });
    expectOk(await bindGoogle(ann, newSub()), {});
    expectOk(await app.client.post('/v1/user/unbinding', { type: 'mail' }, { token: ann.token }), {});
    expectFailure(await app.client.get('/v1/user/info', { token: elsewhere.access_token }), 403, 3009);
    expectOk(await app.client.get('/v1/user/info', { token: ann.token }));
    const left = await app.dataSource.manager.findBy(Session, { userId: ann.id });
    expect(left.map(({ signedInBy }) => signedInBy)).toEqual(['password']);
  });
});
