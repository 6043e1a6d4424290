import { request as httpRequest } from 'node:http';
import { AdministratorsService } from '../../src/rbac/administrators.service.js';
import { LinkMailsService } from '../../src/auth/links/link-mails.service.js';
import { LinkRequestsService } from '../../src/auth/links/link-requests.service.js';
import { PasswordHasher } from '../../src/auth/password/password-hasher.service.js';
import { RegistrationService } from '../../src/auth/registration/registration.service.js';
import { nowSeconds } from '../../src/common/time.js';
import { Mail } from '../../src/mail/mail.entity.js';
import { Session } from '../../src/token/session.entity.js';
import { AccountDeletionService } from '../../src/users/account-deletion.service.js';
import { Identity } from '../../src/users/identity.entity.js';
import { User } from '../../src/users/user.entity.js';
import { ADMIN, startTestApp, type TestApp } from '../support/app.js';
import { addAccount, login, registerVerified, registration, signedIn } from '../support/accounts.js';
import { cpuMsOf } from '../support/cpu-time.js';
import { expectFailure, expectOk, expectPage } from '../support/expectations.js';
import { openForm } from '../support/forms.js';
import { linksAreQueued } from '../support/link-requests.js';
import { NOBODYS_REQUEST } from '../support/request-context.js';
import { decodeToken } from '../support/tokens.js';

let app: TestApp;
beforeAll(async () => (app = await startTestApp({ env: { TRUST_PROXY: '127.0.0.1' } })));
afterAll(() => app.close());
afterEach(() => jest.restoreAllMocks());

/** Runs something after a password was verified and before its login continues. */
function afterPasswordCheck(work: () => Promise<unknown>): void {
  const hasher = app.app.get(PasswordHasher);
  const verify = hasher.verify.bind(hasher);
  jest.spyOn(hasher, 'verify').mockImplementationOnce(async (...parameters) => {
    const isRight = await verify(...parameters);
    await work();
    return isRight;
  });
}

function attempt({ mail, password }: { mail: string; password: string }) {
  return app.client.post('/v1/user/login/account', { account: mail, password, app_id: 'pluto' });
}

async function userOf(handle: string): Promise<User> {
  return app.dataSource.manager.findOneByOrFail(User, { handle });
}

/** Sends a request with an unchanged target. */
function raw(
  target: string,
  headers: Record<string, string>,
  body: string,
): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(app.url);
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ hostname, port, path: target, method: 'POST', headers }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += String(chunk)));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

describe('a login with the old password', () => {
  it('opens no session if the password is reset meanwhile', async () => {
    const account = await addAccount(app);
    await app.client.post('/v1/user/password/reset/mail', { mail: account.mail, app_id: 'pluto' });
    const link = await app.mailbox.linkTo(account.mail);
    afterPasswordCheck(async () =>
      expect((await app.client.submit(link, { password: 'another one' })).status).toBe(200),
    );
    expectFailure(await attempt(account), 403, 3001);
    const { id } = await userOf(account.user_id);
    expect(await app.dataSource.manager.countBy(Session, { userId: id })).toBe(0);
    await login(app, { ...account, password: 'another one' });
  });

  it('opens none if the account is deleted meanwhile', async () => {
    const account = await addAccount(app);
    const { id } = await userOf(account.user_id);
    afterPasswordCheck(() => app.app.get(AccountDeletionService).delete(id, NOBODYS_REQUEST));
    expectFailure(await attempt(account), 403, 3001);
  });
});

describe('a mail to an account that is deleted concurrently', () => {
  it.each([
    ['/v1/user/register/verify/mail', false],
    ['/v1/user/password/reset/mail', true],
  ])('POST %s answers as for an unknown one', async (path, isVerified) => {
    const account = isVerified ? await addAccount(app) : registration();
    if (!isVerified) expectOk(await app.client.post('/v1/user/register', account));
    const { id } = await userOf(account.user_id);
    const requests = app.app.get(LinkRequestsService);
    const answer = requests.answer.bind(requests);
    jest.spyOn(requests, 'answer').mockImplementationOnce(async (...parameters) => {
      await app.app.get(AccountDeletionService).delete(id, NOBODYS_REQUEST);
      return answer(...parameters);
    });
    expectOk(await app.client.post(path, { mail: account.mail, app_id: 'pluto' }), {});
    await linksAreQueued(app);
    const { manager } = app.dataSource;
    expect(await manager.countBy(Mail, { recipient: account.mail, template: 'password-reset' })).toBe(0);
    expect(app.log()).not.toContain('"level":"error"');
  });

  it('still reports other errors, and tries again', async () => {
    const account = await addAccount(app);
    const mails = app.app.get(LinkMailsService);
    jest.spyOn(mails, 'queueReset').mockRejectedValueOnce(new Error('broken on purpose'));
    expectOk(
      await app.client.post('/v1/user/password/reset/mail', { mail: account.mail, app_id: 'pluto' }),
      {},
    );
    await app.mailbox.waitFor(account.mail);
    expect(app.log()).toContain('broken on purpose');
  });
});

describe('a body of very many or deeply nested parts', () => {
  const manyKeys = Object.fromEntries(Array.from({ length: 6000 }, (_, index) => [index, 1]));
  const nested = (depth: number) => `{"x":${'['.repeat(depth)}${']'.repeat(depth)}}`;

  it('is refused with 1001 before it is traversed', async () => {
    const { token } = await signedIn(app);
    const bodies = [JSON.stringify(manyKeys), nested(30), nested(30_000), '['.repeat(60_000)];
    for (const body of bodies) {
      const cpuMs = await cpuMsOf(async () => {
        expectFailure(await app.client.post('/v1/user/login/account', body), 400, 1001);
        expectFailure(await app.client.put('/v1/user/info', body, { token }), 400, 1001);
      });
      expect(cpuMs).toBeLessThan(3000);
    }
  });

  it('is accepted if the parts are inside a string', async () => {
    const password = '[{,:"\\'.repeat(100);
    const account = await registerVerified(app, { password });
    await login(app, account);
  });

  it('is cheap as a form or query of many fields', async () => {
    const account = await addAccount(app);
    await app.client.post('/v1/user/password/reset/mail', { mail: account.mail, app_id: 'pluto' });
    const form = await openForm(app.client, await app.mailbox.linkTo(account.mail));
    const fields = new URLSearchParams({ ...form.fields, password: 'short' });
    const many = Array.from({ length: 9000 }, (_, index) => `${index}=`).join('&');
    const cpuMs = await cpuMsOf(async () => {
      const answer = await app.client.request('POST', form.path, {
        headers: {
          accept: 'text/html',
          'content-type': 'application/x-www-form-urlencoded',
          cookie: form.cookie,
        },
        body: `${fields.toString()}&${many}`,
      });
      expectPage(answer, 400, 'password');
      expectOk(await app.client.get(`/v1/user/info/public?ids=1&${many.slice(0, 10_000)}`));
    });
    expect(cpuMs).toBeLessThan(3000);
  });
});

describe('an unusual form of an address', () => {
  it.each(['/%761/user/login/account', 'http://pluto.test/v1/user/login/account'])(
    'POST %s is of the API all the same: no form, and the envelope',
    async (target) => {
      const form = { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html' };
      const { status, text } = await raw(target, form, 'account=a&password=b&app_id=pluto');
      expect([status, (JSON.parse(text) as { error: { code: number } }).error.code]).toEqual([415, 1008]);
    },
  );

  it('has the envelope under /v1 even if unknown', async () => {
    const { status, text } = await raw('/%761/nothing', { accept: 'text/html' }, '');
    expect([status, (JSON.parse(text) as { error: { code: number } }).error.code]).toEqual([404, 1005]);
  });
});

describe('the metadata of a request', () => {
  it('does not store an invalid address', async () => {
    const account = await addAccount(app);
    const answer = await app.client.post(
      '/v1/user/login/account',
      { account: account.mail, password: account.password, app_id: 'pluto' },
      { headers: { 'x-forwarded-for': 'x'.repeat(500) } },
    );
    expectOk(answer);
    const { sid } = decodeToken(answer.body.access_token as string).claims;
    expect(await app.dataSource.manager.findOneByOrFail(Session, { id: sid })).toMatchObject({ address: '' });
  });

  it('stores an IPv6 address without its zone, which may be any text', async () => {
    const account = await addAccount(app);
    const answer = await app.client.post(
      '/v1/user/login/account',
      { account: account.mail, password: account.password, app_id: 'pluto' },
      { headers: { 'x-forwarded-for': `fe80::1%${'z'.repeat(200)}` } },
    );
    expectOk(answer);
    const { sid } = decodeToken(answer.body.access_token as string).claims;
    expect(await app.dataSource.manager.findOneByOrFail(Session, { id: sid })).toMatchObject({
      address: 'fe80::1',
    });
  });

  it('may have an empty cookie where a form requires one', async () => {
    const account = registration();
    expectOk(await app.client.post('/v1/user/register', account));
    const page = await app.client.page(await app.mailbox.linkTo(account.mail), { cookie: 'pluto_csrf=' });
    expectPage(page, 200, '_csrf');
  });

  it('must arrive within half a minute', () => {
    const server = app.app.getHttpServer() as { requestTimeout: number; headersTimeout: number };
    expect([server.requestTimeout, server.headersTimeout]).toEqual([30_000, 30_000]);
  });

  it.each(['"ann"@example.com', '"a\u001b[31m"@example.com', 'a\u202eb@example.com', 'a\u00adb@example.com'])(
    'has no mail %j',
    async (mail) => {
      expectFailure(await app.client.post('/v1/user/register', registration({ mail })), 400, 1001);
    },
  );
});

describe('the last administrator', () => {
  it('cannot be an account that anyone can replace', async () => {
    const pending = registration();
    expectOk(await app.client.post('/v1/user/register', pending));
    const { id } = await userOf(pending.user_id);
    const { access_token: token } = await login(app, ADMIN);
    const roles = (await app.client.get('/v1/rbac/role/list?app_id=1')).body.roles as {
      id: number;
      name: string;
    }[];
    const adminRole = roles.find(({ name }) => name === 'admin')!.id;
    const answer = await app.client.post(
      '/v1/rbac/user/application/role',
      { user_id: id, app_id: 1, role_id: adminRole },
      { token },
    );
    expectFailure(answer, 403, 2003);
    expect(await app.app.get(AdministratorsService).count(app.dataSource.manager)).toBe(1);
  });
});

describe('a registration that nobody confirms', () => {
  async function pendingUntil(time: number) {
    const account = registration();
    expectOk(await app.client.post('/v1/user/register', account));
    const { id } = await userOf(account.user_id);
    await app.dataSource.manager.update(Identity, { userId: id }, { pendingUntil: time });
    return account;
  }

  it('is deleted once its link has expired', async () => {
    const abandoned = await pendingUntil(nowSeconds());
    const young = await pendingUntil(nowSeconds() + 60);
    const confirmed = await addAccount(app);

    await app.app.get(RegistrationService).purgeAbandoned(new AbortController().signal);

    expect(await app.dataSource.manager.existsBy(User, { handle: abandoned.user_id })).toBe(false);
    for (const { user_id: handle } of [young, confirmed]) {
      expect(await app.dataSource.manager.existsBy(User, { handle })).toBe(true);
    }
  });
});
