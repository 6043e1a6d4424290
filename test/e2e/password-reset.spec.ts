import { Mail } from '../../src/mail/mail.entity.js';
import { OutboxService } from '../../src/mail/outbox.service.js';
import { Session } from '../../src/token/session.entity.js';
import {
  login,
  addAccount,
  registration,
  signedIn,
  type TestAccount,
  type Tokens,
} from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication, type TestApplication } from '../support/applications.js';
import type { Answer } from '../support/client.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { countByCode, expectFailure, expectOk, expectPage } from '../support/expectations.js';
import { openForm, sendForm } from '../support/forms.js';
import { countLinksOf, linksAreQueued } from '../support/link-requests.js';

const HOUR_SECONDS = 3600;
const PARALLEL = 50;
const NEW_PASSWORD = 'fresh horse battery';

let app: TestApp;
let shop: TestApplication;
beforeAll(async () => {
  app = await startTestApp();
  shop = await addApplication(app, { name: 'org.example.shop', roles: { customer: ['shop.buy'] } });
});
afterAll(() => app.close());

function askForMail(body: object, headers: Record<string, string> = {}): Promise<Answer> {
  return app.client.post('/v1/user/password/reset/mail', body, { headers });
}

function tryLogin({ mail, password, app_id }: TestAccount): Promise<Answer> {
  return app.client.post('/v1/user/login/account', { account: mail, password, app_id });
}

function refresh({ refresh_token }: Tokens): Promise<Answer> {
  return app.client.post('/v1/token/refresh', { refresh_token, app_id: 'pluto' });
}

/** Requests a reset and reads the link from the `count`th mail to the address. */
async function resetLink({ mail, app_id }: TestAccount, count = 1): Promise<string> {
  expectOk(await askForMail({ mail, app_id }), {});
  return app.mailbox.linkTo(mail, count);
}

function countLinks(): Promise<number> {
  return countLinksOf(app);
}

describe('POST /v1/user/password/reset/mail', () => {
  it('sends a link to the mail of the account, without regard to case', async () => {
    const { mail } = await addAccount(app);
    expectOk(await askForMail({ mail: mail.toUpperCase(), app_id: 'pluto' }), {});
    const sent = await app.mailbox.waitFor(mail);
    expect(sent.subject).toBe('Reset your password for pluto');
    expect(sent.text).toContain('http://pluto.test/web/password/reset/');
  });

  it.each([
    ['zh', '重置您的 pluto 密码'],
    ['ja', '【pluto】パスワードの再設定'],
  ])('writes to a reader of %s in that language', async (language, subject) => {
    const { mail } = await addAccount(app);
    expectOk(await askForMail({ mail, app_id: 'pluto' }, { 'accept-language': language }));
    expect((await app.mailbox.waitFor(mail)).subject).toBe(subject);
  });

  it("sends it to the account's own address, never to one that only compares equal", async () => {
    const { mail } = await addAccount(app);
    const lookalike = mail.replace('user', 'ｕｓｅｒ');
    expectOk(await askForMail({ mail: lookalike, app_id: 'pluto' }), {});
    await app.mailbox.waitFor(mail);
    expect(await app.mailbox.to(lookalike)).toHaveLength(0);
  });

  it('answers {} for an unknown mail, here or in that application, and sends nothing', async () => {
    const { mail } = await addAccount(app);
    const before = await countLinks();
    expectOk(await askForMail({ mail: 'nobody@example.com', app_id: 'pluto' }), {});
    expectOk(await askForMail({ mail, app_id: shop.name }), {});
    expect(await countLinks()).toBe(before);
  });

  it('refuses an unknown application with 4005', async () => {
    expectFailure(await askForMail({ mail: 'a@example.com', app_id: 'org.example.unknown' }), 403, 4005);
  });

  it.each([
    ['mail', { app_id: 'pluto' }],
    ['mail', { app_id: 'pluto', mail: null }],
    ['mail', { app_id: 'pluto', mail: 'no mail' }],
    ['mail', { app_id: 'pluto', mail: ['a@example.com', 'b@example.com'] }],
    ['mail', { app_id: 'pluto', mail: 'a\ud800@example.com' }],
    ['app_id', { mail: 'a@example.com' }],
    ['app_id', { mail: 'a@example.com', app_id: 1 }],
  ])('refuses a wrong %s with 1001: %j', async (field, body) => {
    expectFailure(await askForMail(body), 400, 1001, expect.stringMatching(`^Bad Request: ${field} must be`));
  });
});

describe('GET /web/password/reset/{token}', () => {
  it('shows the form with application and account, and does not consume the link', async () => {
    const account = await addAccount(app, { app_id: shop.name });
    const link = await resetLink(account);
    for (let times = 0; times < 3; times++) {
      const page = await app.client.page(link);
      expectPage(page, 200, 'Choose a new password');
      expect(page.text).toContain(shop.name);
      expect(page.text).toContain(account.mail);
      expect(page.headers.get('cache-control')).toBe('no-store');
      expect(page.headers.get('referrer-policy')).toBe('no-referrer');
    }
    await login(app, account);
    expectPage(await app.client.submit(link, { password: NEW_PASSWORD }), 200, 'Password changed');
  });

  it("is in the browser's language", async () => {
    const link = await resetLink(await addAccount(app));
    expectPage(await app.client.page(link, { 'accept-language': 'zh-CN' }), 200, '设置新密码');
    expectPage(await app.client.page(link, { 'accept-language': 'ja' }), 200, '新しいパスワードの設定');
  });

  it.each(['junk', 'A'.repeat(43), '%00', '%F0%9F%99%82'])(
    'shows that the link %s does not work',
    async (token) => {
      expectPage(await app.client.page(`/web/password/reset/${token}`), 404, 'This link does not work');
    },
  );

  it('refuses a link that confirms a mail', async () => {
    const account = registration();
    await app.client.post('/v1/user/register', account);
    const verifyLink = await app.mailbox.linkTo(account.mail);
    const disguised = verifyLink.replace('/web/mail/verify/', '/web/password/reset/');
    expect(disguised).not.toBe(verifyLink);
    expectPage(await app.client.page(disguised), 404, 'This link does not work');
  });
});

describe('POST /web/password/reset/{token}', () => {
  it.each([
    ['too short', { password: '1234567' }, 'This password is too short'],
    ['too short, though of 14 UTF-16 units', { password: '🙂'.repeat(7) }, 'This password is too short'],
    ['missing', {}, 'This password is too short'],
    ['empty', { password: '', password_repeat: '' }, 'This password is too short'],
    ['too long', { password: 'p'.repeat(1025) }, 'This password is too long'],
    ['too long in bytes', { password: 'é'.repeat(513) }, 'This password is too long'],
    [
      'not the same as its repetition',
      { password: NEW_PASSWORD, password_repeat: 'fresh house battery' },
      'The two passwords are not the same',
    ],
  ])('shows the form again for a password that is %s; the link stays valid', async (_, fields, complaint) => {
    const account = await addAccount(app);
    const link = await resetLink(account);
    const page = await app.client.submit(link, fields);
    expectPage(page, 400, complaint);
    expect(page.text).toContain('Choose a new password');
    for (const typed of Object.values(fields)) if (typed !== '') expect(page.text).not.toContain(typed);
    await login(app, account);
    const again = await app.client.submit(link, { password: NEW_PASSWORD, password_repeat: NEW_PASSWORD });
    expectPage(again, 200, 'Password changed');
  });

  it('shows the form again so that it can be submitted again', async () => {
    const form = await openForm(app.client, await resetLink(await addAccount(app)));
    const page = await sendForm(app.client, form, { password: 'short' });
    const token = /name="_csrf" value="([^"]+)"/.exec(page.text)?.[1] ?? '';
    const again = { ...form, fields: { _csrf: token } };
    expectPage(await sendForm(app.client, again, { password: NEW_PASSWORD }), 200, 'Password changed');
  });

  it('treats a repeated field as empty', async () => {
    const account = await addAccount(app);
    const form = await openForm(app.client, await resetLink(account));
    const answer = await app.client.request('POST', form.path, {
      headers: {
        accept: 'text/html',
        cookie: form.cookie,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: `_csrf=${encodeURIComponent(form.fields._csrf!)}&password=first+password&password=second+password`,
    });
    expectPage(answer, 400, 'This password is too short');
    await login(app, account);
  });

  it.each([
    ['spaces around it', '  spaces around  '],
    ['1024 bytes', 'éàüö'.repeat(128)],
    ['8 characters of 4 bytes', '🙂🙃😀😎🤖🎃🐙🦊'],
    ['characters that forms encode', 'a+b&c=d%20é"<>\\'],
  ])('sets a password with %s exactly as it was typed', async (_, password) => {
    const account = await addAccount(app);
    const fields = { password, password_repeat: password };
    expectPage(await app.client.submit(await resetLink(account), fields), 200, 'Password changed');
    await login(app, { ...account, password });
    expectFailure(await tryLogin(account), 403, 3001);
  });

  it('is not for a pending registration, whose own link is sent again instead', async () => {
    const account = registration();
    await app.client.post('/v1/user/register', account);
    const link = await resetLink(account, 2);
    expect(link).toMatch('/web/mail/verify/');
    expectPage(await app.client.submit(link), 200, 'Email address confirmed');
    await login(app, account);
  });

  it('ends every session of the account immediately, and no one else’s', async () => {
    const { account, tokens, token } = await signedIn(app);
    const elsewhere = await login(app, account);
    const bystander = await signedIn(app);
    await app.client.submit(await resetLink(account), { password: NEW_PASSWORD });

    for (const { access_token } of [tokens, elsewhere]) {
      expectFailure(await app.client.get('/v1/user/info', { token: access_token }), 403, 3009);
    }
    for (const pair of [tokens, elsewhere]) expectFailure(await refresh(pair), 403, 3002);
    expectFailure(await app.client.get(`/v1/token/access/verify?token=${token}`), 403, 3009);
    expect((await app.client.get('/v1/user/info', { token: bystander.token })).status).toBe(200);
    expectOk(await refresh(bystander.tokens));
  });

  it('invalidates the other links to the account, but no one else’s', async () => {
    const [account, bystander] = [await addAccount(app), await addAccount(app)];
    const [first, second, others] = [
      await resetLink(account),
      await resetLink(account, 2),
      await resetLink(bystander),
    ];
    expectPage(await app.client.submit(first, { password: NEW_PASSWORD }), 200, 'Password changed');

    for (const dead of [first, second]) {
      expectPage(await app.client.page(dead), 404, 'This link does not work');
    }
    expectPage(await app.client.page(others), 200, 'Choose a new password');
  });

  it('accepts a link once', async () => {
    const account = await addAccount(app);
    const form = await openForm(app.client, await resetLink(account));
    expectPage(await sendForm(app.client, form, { password: NEW_PASSWORD }), 200, 'Password changed');
    const again = await sendForm(app.client, form, { password: 'another password' });
    expectPage(again, 404, 'This link does not work');
    await login(app, { ...account, password: NEW_PASSWORD });
    expectFailure(await tryLogin({ ...account, password: 'another password' }), 403, 3001);
  });

  it('rejects a link if the account is deleted meanwhile', async () => {
    const { account, token } = await signedIn(app);
    const form = await openForm(app.client, await resetLink(account));
    expectOk(await app.client.post('/v1/user/delete', undefined, { token }), {});
    const page = await sendForm(app.client, form, { password: NEW_PASSWORD });
    expectPage(page, 404, 'This link does not work');
  });

  it('refuses a form without its token or from another browser', async () => {
    const account = await addAccount(app);
    const link = await resetLink(account);
    const form = await openForm(app.client, link);
    const stranger = await openForm(app.client, link);
    for (const forged of [
      { ...form, fields: {} },
      { ...form, cookie: stranger.cookie },
      { ...form, cookie: '' },
    ]) {
      expectPage(
        await sendForm(app.client, forged, { password: NEW_PASSWORD }),
        403,
        'This form has expired',
      );
    }
    await login(app, account);
    expectPage(await sendForm(app.client, form, { password: NEW_PASSWORD }), 200, 'Password changed');
  });

  it('refuses JSON', async () => {
    const form = await openForm(app.client, await resetLink(await addAccount(app)));
    const body = { ...form.fields, password: NEW_PASSWORD };
    expectFailure(await app.client.post(form.path, body, { headers: { cookie: form.cookie } }), 415, 1008);
  });

  it('changes the password of one application only', async () => {
    const here = await addAccount(app);
    const there = { ...here, app_id: shop.name };
    expectOk(await app.client.post('/v1/user/register', there));
    await app.client.submit(await app.mailbox.linkTo(here.mail));
    await app.client.submit(await resetLink(there, 2), { password: NEW_PASSWORD });

    await login(app, here);
    await login(app, { ...there, password: NEW_PASSWORD });
    expectFailure(await tryLogin(there), 403, 3001);
  });

  describe('when time passes', () => {
    beforeEach(() => freezeClock());
    afterEach(thawClock);

    it('accepts the link until the second before it expires', async () => {
      const account = await addAccount(app);
      const link = await resetLink(account);
      passSeconds(HOUR_SECONDS - 1);
      expectPage(await app.client.submit(link, { password: NEW_PASSWORD }), 200, 'Password changed');
    });

    it('rejects an expired link, and changes nothing', async () => {
      const account = await addAccount(app);
      const form = await openForm(app.client, await resetLink(account));
      passSeconds(HOUR_SECONDS);
      expectPage(await app.client.page(form.path), 404, 'This link does not work');
      const page = await sendForm(app.client, form, { password: NEW_PASSWORD });
      expectPage(page, 404, 'This link does not work');
      expectPage(await sendForm(app.client, form, { password: 'short' }), 404, 'This link does not work');
      await login(app, account);
    });
  });

  it(`lets exactly one of ${PARALLEL} concurrent requests win`, async () => {
    const account = await addAccount(app);
    const form = await openForm(app.client, await resetLink(account));
    const passwords = Array.from({ length: PARALLEL }, (_, index) => `new password ${index}`);
    const pages = await Promise.all(passwords.map((password) => sendForm(app.client, form, { password })));

    const winners = pages.flatMap(({ status }, index) => (status === 200 ? [index] : []));
    expect(winners).toHaveLength(1);
    expect(pages.filter(({ status }) => status === 404)).toHaveLength(PARALLEL - 1);
    const logins = await Promise.all(passwords.map((password) => tryLogin({ ...account, password })));
    expect(countByCode(logins)).toEqual({ 0: 1, 3001: PARALLEL - 1 });
    expect(logins[winners[0]!]!.code).toBe(0);
  });
});

describe('POST /web/password/reset/{token} while mails wait in the outbox', () => {
  let waiting: TestApp;
  beforeAll(async () => (waiting = await startTestApp({ sendMails: false })));
  afterAll(() => waiting.close());

  it('withdraws the queued mails of the account, and no one else’s', async () => {
    const { client, dataSource } = waiting;
    const [account, bystander] = [await addAccount(waiting), await addAccount(waiting)];
    for (const { mail } of [account, account, bystander]) {
      expectOk(await client.post('/v1/user/password/reset/mail', { mail, app_id: 'pluto' }));
    }
    await linksAreQueued(waiting);
    const link = await openFirstReset(account.mail);
    expect(await dataSource.manager.countBy(Mail, { recipient: account.mail })).toBe(2);

    expectPage(await client.submit(link, { password: NEW_PASSWORD }), 200, 'Password changed');
    const left = await dataSource.manager.findBy(Mail, { recipient: account.mail });
    expect(left.map(({ template }) => template)).toEqual(['security-notice']);
    expect(await dataSource.manager.countBy(Mail, { recipient: bystander.mail })).toBe(1);
    expect(await dataSource.manager.count(Session)).toBe(0);
  });

  /** Reads the link like a worker that has claimed the mail and is about to send it. */
  async function openFirstReset(recipient: string): Promise<string> {
    for (;;) {
      const mail = await waiting.app.get(OutboxService).claimNext();
      if (!mail) throw new Error('no such mail is waiting');
      if (mail.recipient === recipient && mail.template === 'password-reset') {
        return new URL(mail.context.link).pathname;
      }
    }
  }
});
