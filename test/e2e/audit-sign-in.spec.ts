import { registerVerified, registration, signedIn, type TestAccount } from '../support/accounts.js';
import { firstAdministrator, type Caller } from '../support/administration.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { readAudit, type Recorded } from '../support/audit.js';
import { cookiesOf, type Answer } from '../support/client.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { expectFailure, expectOk, expectPage } from '../support/expectations.js';
import { openForm, sendForm } from '../support/forms.js';
import { FakeGoogle } from '../support/google.js';
import { addClient, askTokens, getTokens } from '../support/oauth.js';
import { decodeToken } from '../support/tokens.js';
import { FakeWechat, WECHAT_APP, WECHAT_WEB_APP } from '../support/wechat.js';

const ADDRESS = '203.0.113.9';
const FROM = { headers: { 'x-forwarded-for': ADDRESS } };

let google: FakeGoogle;
let wechat: FakeWechat;
let app: TestApp;
let admin: Caller;
beforeAll(async () => {
  google = await FakeGoogle.start();
  wechat = await FakeWechat.start();
  app = await startTestApp({ env: { ...google.env, ...wechat.env, TRUST_PROXY: '127.0.0.1' } });
  admin = await firstAdministrator(app);
});
afterEach(() => thawClock());
afterAll(async () => {
  await app.close();
  await google.close();
  await wechat.close();
});

const login = (account: Pick<TestAccount, 'mail' | 'password'>, device_id = '') =>
  app.client.post(
    '/v1/user/login/account',
    { account: account.mail, password: account.password, app_id: 'pluto', device_id },
    FROM,
  );

async function recordedFor(answer: Answer): Promise<Recorded[]> {
  return (await readAudit(admin, { request_id: answer.headers.get('x-request-id') ?? '' })).events;
}

async function idOf(account: TestAccount): Promise<number> {
  return decodeToken((await login(account)).body.access_token as string).claims.sub;
}

const byOwner = (userId: number) => ({
  user_id: userId,
  actor: { kind: 'user', user_id: userId, client: '' },
});
const ANONYMOUS = { kind: 'anonymous', user_id: 0, client: '' };
const HERE = { app_id: 'pluto', address: ADDRESS };

describe('the audit trail', () => {
  it('records a registration and a login, and whether the device was known', async () => {
    const account = registration();
    const registered = await app.client.post('/v1/user/register', account, FROM);
    expectPage(await app.client.submit(await app.mailbox.linkTo(account.mail)), 200, account.mail);
    const [first, second] = [await login(account, 'a-device-id-long-enough'), await login(account)];
    const userId = await idOf(account);
    expect(await recordedFor(registered)).toMatchObject([
      { type: 'account.registered', ...HERE, ...byOwner(userId), detail: { method: 'mail' } },
    ]);
    expect([...(await recordedFor(first)), ...(await recordedFor(second))]).toMatchObject([
      { type: 'login.succeeded', ...HERE, ...byOwner(userId), detail: { method: 'password', device: 'new' } },
      {
        type: 'login.succeeded',
        ...HERE,
        ...byOwner(userId),
        detail: { method: 'password', device: 'known' },
      },
    ]);
  });

  it('records failed logins without what was typed', async () => {
    const account = await registerVerified(app);
    const unconfirmed = registration();
    expectOk(await app.client.post('/v1/user/register', unconfirmed));
    const wrong = await login({ ...account, password: 'typed in anger' });
    const unknown = await login({ mail: 'hunter2@example.com', password: 'typed in anger' });
    const tooEarly = await login(unconfirmed);
    expect([wrong.code, unknown.code, tooEarly.code]).toEqual([3001, 3001, 2003]);
    const failed = { type: 'login.failed', ...HERE, actor: ANONYMOUS };
    const detail = { method: 'password', reason: 'credentials' };
    expect(await recordedFor(wrong)).toMatchObject([{ ...failed, user_id: await idOf(account), detail }]);
    expect(await recordedFor(unknown)).toMatchObject([{ ...failed, user_id: 0, detail }]);
    expect(await recordedFor(tooEarly)).toMatchObject([
      { ...failed, user_id: expect.any(Number), detail: { method: 'password', reason: 'unverified' } },
    ]);
    const all = JSON.stringify((await readAudit(admin, { limit: 200 })).events);
    for (const text of ['typed in anger', 'hunter2', account.mail, account.user_id])
      expect(all).not.toContain(text);
  });

  it('records sign-ins with a provider: the first, a later one, and one that is refused', async () => {
    const send = (id_token: string) =>
      app.client.post('/v1/user/login/google/mobile', { id_token, app_id: 'pluto' }, FROM);
    const person = { sub: 'a-person-at-google' };
    const first = await send(await google.idToken(person));
    const later = await send(await google.idToken(person));
    const refused = await send(
      await google.idToken({ ...person, aud: 'another audience', azp: 'another app' }),
    );
    expectFailure(refused, 403, 3004);
    const userId = decodeToken(first.body.access_token as string).claims.sub;
    expect((await recordedFor(first)).map(({ type }) => type)).toEqual([
      'login.succeeded',
      'account.registered',
    ]);
    expect(await recordedFor(later)).toMatchObject([
      { type: 'login.succeeded', ...HERE, ...byOwner(userId), detail: { method: 'google', device: 'known' } },
    ]);
    expect(await recordedFor(refused)).toMatchObject([
      {
        type: 'login.failed',
        ...HERE,
        user_id: 0,
        actor: ANONYMOUS,
        detail: { method: 'google', reason: 'credentials' },
      },
    ]);
  });

  it('records sign-ins on the login page and through OAuth clients', async () => {
    const account = await registerVerified(app);
    const client = await addClient(app);
    const page = await sendForm(app.client, await openForm(app.client, '/web/login'), {
      account: account.mail,
      password: account.password,
    });
    const granted = await askTokens(app, client, {
      grant_type: 'password',
      user: account.mail,
      password: account.password,
      app_id: 'pluto',
    });
    for (const answer of [page, granted])
      expect(await recordedFor(answer)).toMatchObject([{ type: 'login.succeeded', app_id: 'pluto' }]);
  });

  it('records failed logins on the login page and through OAuth clients', async () => {
    const account = await registerVerified(app);
    const form = await openForm(app.client, '/web/login');
    const page = await sendForm(app.client, form, { account: account.mail, password: 'not this one' });
    const grant = { grant_type: 'password', user: account.mail, password: 'nor this one', app_id: 'pluto' };
    const granted = await askTokens(app, await addClient(app), grant);
    expect([page.status, granted.code]).toEqual([403, 3001]);
    for (const answer of [page, granted])
      expect(await recordedFor(answer)).toMatchObject([{ type: 'login.failed', actor: ANONYMOUS }]);
  });

  it('records sign-ins with WeChat: in an app, on the web, and on the login page', async () => {
    const person = wechat.person();
    wechat.scanAs(person);
    const back = async (start: Answer) => {
      const answer = await fetch(start.headers.get('location')!, { redirect: 'manual' });
      return answer.headers.get('location')!.replace(app.settings.publicUrl, '');
    };
    const HTML = { accept: 'text/html' };
    const inApp = (code: string) =>
      app.client.post('/v1/user/login/wechat/mobile', { code, app_id: 'pluto' }, FROM);
    const start = () => app.client.get('/v1/user/login/wechat/web?app_id=pluto', { headers: HTML });
    const web = async (started: Answer, change = (path: string) => path) =>
      app.client.get(change(await back(started)), {
        headers: { ...FROM.headers, cookie: cookiesOf(started) },
      });
    const page = await app.client.get('/web/login/wechat', { headers: HTML });
    const cookie = cookiesOf(page);
    const onPage = await app.client.get(await back(page), { headers: { ...FROM.headers, ...HTML, cookie } });
    expect([page.status, onPage.status]).toEqual([302, 302]);

    for (const answer of [onPage, await inApp(wechat.code(person, WECHAT_APP)), await web(await start())]) {
      const [succeeded] = await recordedFor(answer);
      expect(succeeded).toMatchObject({ type: 'login.succeeded', ...HERE, actor: { kind: 'user' } });
      expect(succeeded!.detail).toMatchObject({ method: 'wechat' });
    }

    const declined = await web(await start(), (path) => path.replace(/code=[^&]+/, 'code=not-a-code'));
    for (const answer of [await inApp(wechat.code(person, WECHAT_WEB_APP)), declined])
      expect(await recordedFor(answer)).toMatchObject([{ type: 'login.failed', ...HERE, actor: ANONYMOUS }]);
  });

  it('records that a client reused a refresh token', async () => {
    const account = await registerVerified(app);
    const client = await addClient(app);
    const { mail: user, password, app_id } = account;
    const tokens = await getTokens(app, client, { grant_type: 'password', user, password, app_id });
    freezeClock();
    const refresh = (refresh_token: string) =>
      askTokens(app, client, { grant_type: 'refresh_token', refresh_token, app_id });
    const second = await refresh(tokens.refresh_token);
    expectOk(await refresh(second.body.refresh_token as string));
    passSeconds(31);
    const stolen = await refresh(tokens.refresh_token);
    expectFailure(stolen, 403, 3002);
    expect(await recordedFor(stolen)).toMatchObject([{ type: 'refresh.reused', actor: ANONYMOUS }]);
  });

  it('records the reuse of a refresh token and the end of its session', async () => {
    const { tokens } = await signedIn(app);
    const { sub, sid } = decodeToken(tokens.access_token).claims;
    freezeClock();
    const refresh = (refresh_token: string) =>
      app.client.post('/v1/token/refresh', { refresh_token, app_id: 'pluto' }, FROM);
    const second = await refresh(tokens.refresh_token);
    expectOk(await refresh(second.body.refresh_token as string));
    passSeconds(31);
    const stolen = await refresh(tokens.refresh_token);
    expectFailure(stolen, 403, 3002);
    expect(await recordedFor(stolen)).toMatchObject([
      { type: 'refresh.reused', ...HERE, user_id: sub, actor: ANONYMOUS, detail: { session: sid } },
    ]);
  });

  it('records a reset of the password, once', async () => {
    const account = await registerVerified(app);
    const { mail, app_id } = account;
    expectOk(await app.client.post('/v1/user/password/reset/mail', { mail, app_id }));
    const link = await app.mailbox.linkTo(mail, 2);
    const form = await openForm(app.client, link);
    const password = 'fresh horse battery';
    const done = await sendForm(app.client, form, { password });
    expectPage(done, 200, 'Password changed');
    expectPage(await sendForm(app.client, form, { password }), 404, 'link');
    const userId = await idOf({ ...account, password });
    expect(await recordedFor(done)).toMatchObject([
      { type: 'password.reset', app_id, ...byOwner(userId), detail: {} },
    ]);
    expect((await readAudit(admin, { user_id: userId, type: 'password.reset' })).events).toHaveLength(1);
  });
});
