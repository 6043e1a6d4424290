import type { ParsedMail } from 'mailparser';
import { Mail } from '../../src/mail/mail.entity.js';
import { SecurityEvents } from '../../src/events/security-events.js';
import { Transactions } from '../../src/database/transactions.js';
import { Identity } from '../../src/users/identity.entity.js';
import { addAccount, login, registerVerified, registration, type TestAccount } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { nextNumber, type Answer } from '../support/client.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { eventually } from '../support/eventually.js';
import { expectFailure, expectOk, expectPage } from '../support/expectations.js';
import { openForm, sendForm } from '../support/forms.js';
import { FakeGoogle } from '../support/google.js';
import { linkIn } from '../support/mailbox.js';
import { openSession } from '../support/sessions.js';
import { addUser } from '../support/users.js';

const HOUR = 3600;
const DAY = 24 * HOUR;

let google: FakeGoogle;
let app: TestApp;
let second: TestApp;
/** With SKIP_REGISTER_VERIFY_MAIL. */
let skipping: TestApp;
beforeAll(async () => {
  google = await FakeGoogle.start();
  const env = { ...google.env, ACCESS_TOKEN_TTL: String(2 * HOUR) };
  app = await startTestApp({ env });
  second = await startTestApp({ on: app, env });
  skipping = await startTestApp({ on: app, env: { ...env, SKIP_REGISTER_VERIFY_MAIL: 'true' } });
});
afterEach(() => {
  thawClock();
  google.assertNothingUnexpected();
});
afterAll(async () => {
  await skipping.stop();
  await second.stop();
  await app.close();
  await google.close();
});

interface Owner {
  mail: string;
  token: string;
  id: number;
}

async function owner(change: Partial<TestAccount> = {}): Promise<Owner> {
  const account = await addAccount(app, change);
  const { accessToken: token } = await openSession(app, account.id, account.app_id);
  return { mail: account.mail, token, id: account.id };
}

async function bindGoogle({ token }: Owner, mail: string, server = app): Promise<Answer> {
  const body = { type: 'google', id_token: await google.idToken({ email: mail }) };
  return server.client.post('/v1/user/binding', body, { token });
}

const unbind = ({ token }: Owner, type: string, server = app) =>
  server.client.post('/v1/user/unbinding', { type }, { token });

/** The notices to an address, once every queued mail has been written. */
async function noticesTo(address: string): Promise<ParsedMail[]> {
  await eventually(async () => (await app.dataSource.manager.count(Mail)) === 0, 'the mails');
  return app.mailbox.to(address);
}

const subjectsTo = async (address: string) => (await noticesTo(address)).map(({ subject }) => subject);

const gmail = () => `person${nextNumber()}@gmail.com`;

describe('the owner of an account is told by mail', () => {
  it('that a provider was bound, at the address confirmed before, not at the new one', async () => {
    const ann = await owner();
    const strangers = gmail();
    expectOk(await bindGoogle(ann, strangers), {});
    const [notice, ...others] = await noticesTo(ann.mail);
    expect(others).toEqual([]);
    expect(notice!.subject).toBe('New way to sign in to pluto');
    expect(notice!.text).toContain('Way to sign in: Google');
    expect(notice!.text).toContain('If it was not you, choose a new password now.');
    expect(await noticesTo(strangers)).toEqual([]);
  });

  it('that a provider was unbound, at its address as well', async () => {
    const ann = await owner();
    const bound = gmail();
    expectOk(await bindGoogle(ann, bound), {});
    expectOk(await unbind(ann, 'google'), {});
    expect(await subjectsTo(ann.mail)).toContain('A way to sign in to pluto was removed');
    expect(await subjectsTo(bound)).toEqual(['A way to sign in to pluto was removed']);
  });

  it('that a mail was confirmed, at the address that Google gave, and that it was unbound, at both', async () => {
    const bound = gmail();
    const id = await addUser(app, { identities: [{ loginType: 'google', mail: bound }] });
    const { accessToken: token } = await openSession(app, id, 'pluto');
    const mail = `new${nextNumber()}@example.com`;
    expectOk(await app.client.post('/v1/user/binding', { type: 'mail', mail }, { token }), {});
    const link = await app.mailbox.linkTo(mail);
    expect(await subjectsTo(bound)).toEqual([]);
    expectPage(await app.client.submit(link), 200, 'Email address confirmed');
    expect(await subjectsTo(bound)).toEqual(['New way to sign in to pluto']);
    expect(await subjectsTo(mail)).toHaveLength(1);

    expectOk(await unbind({ mail, token, id }, 'mail'), {});
    expect(await subjectsTo(bound)).toHaveLength(2);
    expect((await subjectsTo(mail)).at(-1)).toBe('A way to sign in to pluto was removed');
  });

  it('that a mail was bound where mails need no confirmation', async () => {
    const bound = gmail();
    const id = await addUser(app, { identities: [{ loginType: 'google', mail: bound }] });
    const { accessToken: token } = await openSession(skipping, id, 'pluto');
    const body = { type: 'mail', mail: `new${nextNumber()}@example.com` };
    expectOk(await skipping.client.post('/v1/user/binding', body, { token }), {});
    expect(await subjectsTo(bound)).toEqual(['New way to sign in to pluto']);
  });

  it('that the password was reset', async () => {
    const ann = await owner();
    expectOk(await app.client.post('/v1/user/password/reset/mail', { mail: ann.mail, app_id: 'pluto' }));
    const link = await app.mailbox.linkTo(ann.mail);
    expectPage(await app.client.submit(link, { password: 'fresh horse battery' }), 200, 'Password changed');
    expect((await subjectsTo(ann.mail)).at(-1)).toBe('Your password for pluto was changed');
  });

  it('that a session was ended for theft', async () => {
    const account = await addAccount(app);
    freezeClock();
    const { refresh_token: stolen } = await login(app, account);
    const refresh = (token: string) =>
      app.client.post('/v1/token/refresh', { refresh_token: token, app_id: 'pluto' });
    const { refresh_token: next } = (await refresh(stolen)).body as { refresh_token: string };
    expectOk(await refresh(next));
    passSeconds(DAY);
    expectFailure(await refresh(stolen), 403, 3002);
    const [notice] = await noticesTo(account.mail);
    expect(notice!.subject).toBe('A device was signed out of pluto');
    expect(notice!.text).toContain('Somebody used a copy of the sign-in');
  });

  it.each([
    ['zh', '您的 pluto 账号添加了新的登录方式', '登录方式：Google'],
    ['ja', '【pluto】ログイン方法が追加されました', 'ログイン方法： Google'],
  ])('in the language of the registration (%s), not of the change', async (language, subject, method) => {
    const account = registration();
    const headers = { 'accept-language': language };
    expectOk(await app.client.post('/v1/user/register', account, { headers }));
    await app.client.submit(await app.mailbox.linkTo(account.mail));
    const { access_token: token } = await login(app, account);
    expectOk(await bindGoogle({ mail: account.mail, token, id: 0 }, gmail()), {});
    const notice = (await noticesTo(account.mail)).at(-1)!;
    expect(notice.subject).toBe(subject);
    expect(notice.text!.replaceAll('： ', '：')).toContain(method.replaceAll('： ', '：'));
  });
});

describe('a notice', () => {
  it('has no link that signs in: only the page that asks for a reset mail', async () => {
    const ann = await owner();
    expectOk(await bindGoogle(ann, gmail()), {});
    const [notice] = await noticesTo(ann.mail);
    expect(linkIn(notice!)).toBe('/web/password/forgot?app_id=pluto');
    expect(notice!.text!.match(/https?:/g)).toHaveLength(1);
    expectPage(await app.client.page(linkIn(notice!)), 200, 'Forgot your password?');
  });

  it('is sent once an hour for each kind, whatever instance', async () => {
    const ann = await owner();
    freezeClock();
    for (const server of [app, second, app]) {
      expectOk(await bindGoogle(ann, gmail(), server), {});
      expectOk(await unbind(ann, 'google', server), {});
    }
    const [bound, removed] = ['New way to sign in to pluto', 'A way to sign in to pluto was removed'];
    expect(await subjectsTo(ann.mail)).toEqual([bound, removed]);
    passSeconds(HOUR - 1);
    expectOk(await bindGoogle(ann, gmail()), {});
    expect(await subjectsTo(ann.mail)).toHaveLength(2);
    expectOk(await unbind(ann, 'google'), {});
    passSeconds(1);
    expectOk(await bindGoogle(ann, gmail()), {});
    expect(await subjectsTo(ann.mail)).toEqual([bound, removed, bound]);
  });

  it('is sent once by events that happen concurrently on two instances', async () => {
    const ann = await owner();
    const { applicationId } = await app.dataSource.manager.findOneByOrFail(Identity, { userId: ann.id });
    const place = { applicationId, userId: ann.id };
    await Promise.all(
      Array.from({ length: 10 }, (_, index) => {
        const server = (index % 2 === 0 ? app : second).app;
        return server
          .get(Transactions)
          .runFor(null, (manager) =>
            server.get(SecurityEvents).publish(manager, { type: 'password.reset', ...place, detail: {} }),
          );
      }),
    );
    expect(await subjectsTo(ann.mail)).toEqual(['Your password for pluto was changed']);
  });

  it('is not sent if what it tells of is rolled back, and does not use up the hour', async () => {
    const ann = await owner();
    const { applicationId } = await app.dataSource.manager.findOneByOrFail(Identity, { userId: ann.id });
    const event = { type: 'password.reset', applicationId, userId: ann.id, detail: {} } as const;
    const publish = (fails: boolean) =>
      app.app.get(Transactions).runFor(null, async (manager) => {
        await app.app.get(SecurityEvents).publish(manager, event);
        if (fails) throw new Error('rolled back');
      });
    await expect(publish(true)).rejects.toThrow('rolled back');
    expect(await subjectsTo(ann.mail)).toEqual([]);
    await publish(false);
    expect(await subjectsTo(ann.mail)).toHaveLength(1);
  });

  it('is not sent for a mail that was bound and never confirmed, nor at a registration', async () => {
    const bound = gmail();
    const id = await addUser(app, { identities: [{ loginType: 'google', mail: bound }] });
    const { accessToken: token } = await openSession(app, id, 'pluto');
    for (const mail of [`a${nextNumber()}@example.com`, `b${nextNumber()}@example.com`])
      expectOk(await app.client.post('/v1/user/binding', { type: 'mail', mail }, { token }), {});
    expectOk(await unbind({ mail: '', token, id }, 'mail'), {});
    expect(await subjectsTo(bound)).toEqual([]);
    const { mail } = await registerVerified(app);
    expect(await subjectsTo(mail)).toHaveLength(1);
  });
});

describe('the page that resets a password', () => {
  /** An account with a provider that was bound so many days ago, and its reset link. */
  async function withGoogle(
    days: number,
  ): Promise<{ ann: Owner; link: string; identity: Identity; bound: string }> {
    const ann = await owner();
    const bound = gmail();
    expectOk(await bindGoogle(ann, bound), {});
    const { manager } = app.dataSource;
    const identity = await manager.findOneByOrFail(Identity, { userId: ann.id, loginType: 'google' });
    const createdAt = Math.floor(Date.now() / 1000) - days * DAY;
    await manager.update(Identity, { id: identity.id }, { createdAt });
    await noticesTo(ann.mail);
    expectOk(await app.client.post('/v1/user/password/reset/mail', { mail: ann.mail, app_id: 'pluto' }));
    return { ann, link: await app.mailbox.linkTo(ann.mail), identity, bound };
  }

  const typesOf = async ({ id }: Owner) =>
    (await app.dataSource.manager.findBy(Identity, { userId: id })).map(({ loginType }) => loginType).sort();

  it('lists what was added in the last 30 days, ticked', async () => {
    const { link, identity, bound } = await withGoogle(29);
    const page = await app.client.page(link);
    expectPage(page, 200, 'Added in the last 30 days');
    expect(page.text).toContain(`Google <bdi>${bound}</bdi>`);
    expect(page.text).toContain(`name="keep" value="${identity.id}" checked>`);
    expect(page.text).toContain('name="bindings" value="listed"');
  });

  it('lists nothing that is older, nor the mail that got the link', async () => {
    const { link } = await withGoogle(31);
    const page = await app.client.page(link);
    expect(page.text).not.toContain('Added in the last 30 days');
    expect(page.text).not.toContain('name="keep"');
  });

  it('keeps what is ticked', async () => {
    const { ann, link, identity } = await withGoogle(1);
    expectPage(await app.client.submit(link, { password: 'fresh horse battery' }), 200, 'Password changed');
    expect(await typesOf(ann)).toEqual(['google', 'mail']);
    expect(await app.dataSource.manager.existsBy(Identity, { id: identity.id })).toBe(true);
  });

  it('removes what is not ticked, tells so, and the person at the provider cannot sign in to it', async () => {
    const { ann, link } = await withGoogle(1);
    const form = { ...(await openForm(app.client, link)), ticked: [] };
    const answer = await sendForm(app.client, form, { password: 'fresh horse battery' });
    expectPage(answer, 200, 'Password changed');
    expect(await typesOf(ann)).toEqual(['mail']);
    expect(await subjectsTo(ann.mail)).toEqual(
      expect.arrayContaining([
        'A way to sign in to pluto was removed',
        'Your password for pluto was changed',
      ]),
    );
  });

  it('removes what was added after the page was shown, since nobody ticked it', async () => {
    const { ann, link, identity } = await withGoogle(1);
    const form = await openForm(app.client, link);
    expectOk(await unbind(ann, 'google'), {});
    expectOk(await bindGoogle(ann, gmail()), {});
    const fields = { password: 'fresh horse battery', keep: String(identity.id) };
    expectPage(await sendForm(app.client, form, fields), 200, 'Password changed');
    expect(await typesOf(ann)).toEqual(['mail']);
  });

  it('remembers what was unticked when the password is refused', async () => {
    const { ann, link, identity } = await withGoogle(1);
    const form = { ...(await openForm(app.client, link)), ticked: [] };
    const page = await sendForm(app.client, form, { password: 'short' });
    expectPage(page, 400, 'This password is too short');
    expect(page.text).toContain(`name="keep" value="${identity.id}">`);
    expect(await typesOf(ann)).toEqual(['google', 'mail']);
  });

  it('keeps all for a program that sends a password alone', async () => {
    const { ann, link } = await withGoogle(1);
    const { cookie, fields, path } = await openForm(app.client, link);
    const answer = await app.client.request('POST', path, {
      headers: { cookie, 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html' },
      body: new URLSearchParams({ _csrf: fields._csrf!, password: 'fresh horse battery' }).toString(),
    });
    expectPage(answer, 200, 'Password changed');
    expect(await typesOf(ann)).toEqual(['google', 'mail']);
  });
});
