import { expectSearchIndexIsExact } from '../support/search-index.js';
import { login, registerVerified } from '../support/accounts.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { expectFailure, expectOk, expectPage } from '../support/expectations.js';
import { openForm, sendForm } from '../support/forms.js';
import { linkIn } from '../support/mailbox.js';
import {
  app,
  countLinks,
  register,
  registerPending,
  shop,
  tryLogin,
  useRegistrations,
} from '../support/registrations.js';

useRegistrations();

const DAY_SECONDS = 86_400;

describe('POST /v1/user/register/verify/mail', () => {
  const sendAgain = (body: object) => app.client.post('/v1/user/register/verify/mail', body);

  it('sends another link by mail or by handle, without regard to case', async () => {
    const { mail, user_id } = await registerPending();
    expectOk(await sendAgain({ app_id: 'pluto', mail: mail.toUpperCase() }), {});
    const second = await app.mailbox.linkTo(mail, 2);
    expectOk(await sendAgain({ app_id: 'pluto', user_id: user_id.toUpperCase(), mail: null }), {});
    const third = await app.mailbox.linkTo(mail, 3);

    expect(new Set([await app.mailbox.linkTo(mail), second, third]).size).toBe(3);
    expectPage(await app.client.submit(third), 200, 'Email address confirmed');
    expectPage(await app.client.page(second), 200, 'Already confirmed');
  });

  it('writes in the language of the request', async () => {
    const { mail } = await registerPending();
    await app.client.post(
      '/v1/user/register/verify/mail',
      { app_id: 'pluto', mail },
      { headers: { 'accept-language': 'ja-JP' } },
    );
    expect((await app.mailbox.waitFor(mail, 2)).subject).toBe('【pluto】メールアドレスの確認');
  });

  it('answers {} for an unknown account, here or in that application, and sends nothing', async () => {
    const { mail, user_id } = await registerPending();
    const before = await countLinks();
    expectOk(await sendAgain({ app_id: 'pluto', mail: 'nobody@example.com' }), {});
    expectOk(await sendAgain({ app_id: 'pluto', user_id: 'nobody' }), {});
    expectOk(await sendAgain({ app_id: shop.name, mail }), {});
    expectOk(await sendAgain({ app_id: shop.name, user_id }), {});
    expect(await countLinks()).toBe(before);
  });

  it('refuses a confirmed mail with 2004 and sends nothing', async () => {
    const { mail, user_id } = await registerVerified(app);
    const before = await countLinks();
    expectFailure(await sendAgain({ app_id: 'pluto', mail }), 400, 2004);
    expectFailure(await sendAgain({ app_id: 'pluto', user_id }), 400, 2004);
    expect(await countLinks()).toBe(before);
  });

  it('refuses an unknown application with 4005', async () => {
    expectFailure(await sendAgain({ app_id: 'org.example.unknown', mail: 'a@example.com' }), 403, 4005);
  });

  it('refuses a body without mail and user_id with 1001 and names both', async () => {
    for (const body of [{ app_id: 'pluto' }, { app_id: 'pluto', mail: null, user_id: null }]) {
      const answer = await sendAgain(body);
      expectFailure(answer, 400, 1001, expect.stringMatching(/mail.*user_id/));
    }
  });

  it.each([
    ['mail', { mail: 'no mail' }],
    ['mail', { mail: '' }],
    ['mail', { mail: 1, user_id: 'ann' }],
    ['user_id', { user_id: 'not a handle' }],
    ['user_id', { user_id: ['ann'] }],
    ['app_id', { mail: 'ann@example.com', app_id: null }],
  ])('refuses a wrong %s with 1001: %j', async (field, change) => {
    const answer = await sendAgain({ app_id: 'pluto', ...change });
    expectFailure(answer, 400, 1001, expect.stringMatching(`^Bad Request: ${field} must be`));
  });
});

describe('GET /web/mail/verify/{token}', () => {
  it('shows who is confirming what, as text', async () => {
    const { mail, user_id } = await registerPending({ name: '<b>Ann & Co</b>' });
    const page = await app.client.page(await app.mailbox.linkTo(mail));
    expectPage(page, 200, 'Confirm your email address');
    expect(page.text).toContain(mail);
    expect(page.text).toContain(`@${user_id}`);
    expect(page.text).toContain('&lt;b&gt;Ann &amp; Co&lt;/b&gt;');
    expect(page.text).not.toContain('<b>Ann');
    expect(page.headers.get('cache-control')).toBe('no-store');
  });

  it('does not consume the link, however often it is opened', async () => {
    const account = await registerPending();
    const link = await app.mailbox.linkTo(account.mail);
    for (let times = 0; times < 3; times++) expect((await app.client.page(link)).status).toBe(200);
    expect((await app.client.request('HEAD', link)).status).toBe(200);
    expectFailure(await tryLogin(account), 403, 2003);
    expectPage(await app.client.submit(link), 200, 'Email address confirmed');
  });

  it("is in the browser's language", async () => {
    const { mail } = await registerPending();
    const link = await app.mailbox.linkTo(mail);
    expectPage(await app.client.page(link, { 'accept-language': 'zh' }), 200, '确认您的邮箱地址');
    expectPage(await app.client.page(link, { 'accept-language': 'ja' }), 200, 'メールアドレスの確認');
  });

  it.each(['junk', 'A'.repeat(43), '%00', 'a'.repeat(128), "'%20OR%201=1--"])(
    'shows that the link %s does not work',
    async (token) => {
      const page = await app.client.page(`/web/mail/verify/${token}`);
      expect([page.status, page.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8']);
    },
  );

  it('refuses a link of another kind', async () => {
    const { mail } = await registerPending();
    await app.client.submit(await app.mailbox.linkTo(mail));
    await app.client.post('/v1/user/password/reset/mail', { mail, app_id: 'pluto' });
    const reset = await app.mailbox.linkTo(mail, 2);
    const disguised = reset.replace('/web/password/reset/', '/web/mail/verify/');
    expect(disguised).not.toBe(reset);
    expectPage(await app.client.page(disguised), 404, 'This link does not work');
  });
});

describe('POST /web/mail/verify/{token}', () => {
  it('confirms the mail, and says if it was already confirmed', async () => {
    const account = await registerPending();
    const link = await app.mailbox.linkTo(account.mail);
    const form = await openForm(app.client, link);
    expectPage(await sendForm(app.client, form), 200, 'Email address confirmed');
    await login(app, account);
    expectPage(await sendForm(app.client, form), 200, 'Already confirmed');
    expectPage(await app.client.page(link), 200, 'Already confirmed');
  });

  it('confirms once when sent several times concurrently', async () => {
    const { mail } = await registerPending();
    const form = await openForm(app.client, await app.mailbox.linkTo(mail));
    const pages = await Promise.all(Array.from({ length: 10 }, () => sendForm(app.client, form)));
    expect(pages.map(({ status }) => status)).toEqual(pages.map(() => 200));
    expect(pages.filter(({ text }) => text.includes('Email address confirmed'))).toHaveLength(1);
    expect(pages.filter(({ text }) => text.includes('Already confirmed'))).toHaveLength(9);
  });

  it('refuses a form without its token, of another browser or of another page', async () => {
    const account = await registerPending();
    const other = await registerPending();
    const link = await app.mailbox.linkTo(account.mail);
    const form = await openForm(app.client, link);
    const stranger = await openForm(app.client, link);
    const otherPage = await openForm(app.client, await app.mailbox.linkTo(other.mail), form.cookie);
    expect(otherPage.cookie).toBe(form.cookie);

    const forged = [
      { ...form, fields: {} },
      { ...form, fields: { _csrf: '' } },
      { ...form, fields: { _csrf: `${form.fields._csrf}x` } },
      { ...form, cookie: '' },
      { ...form, cookie: stranger.cookie },
      { ...form, fields: stranger.fields },
      { ...form, fields: otherPage.fields },
    ];
    for (const attempt of forged) {
      expectPage(await sendForm(app.client, attempt), 403, 'This form has expired');
    }
    expectFailure(await tryLogin(account), 403, 2003);
    expectPage(await sendForm(app.client, form), 200, 'Email address confirmed');
  });

  it('refuses JSON', async () => {
    const { mail } = await registerPending();
    const form = await openForm(app.client, await app.mailbox.linkTo(mail));
    const answer = await app.client.post(form.path, form.fields, { headers: { cookie: form.cookie } });
    expect([answer.status, answer.code]).toEqual([415, 1008]);
  });

  describe('when time passes', () => {
    beforeEach(() => freezeClock());
    afterEach(thawClock);

    it('accepts the link until the second before it expires', async () => {
      const account = await registerPending();
      const link = await app.mailbox.linkTo(account.mail);
      passSeconds(DAY_SECONDS - 1);
      expectPage(await app.client.submit(link), 200, 'Email address confirmed');
    });

    it('rejects an expired link, and confirms nothing', async () => {
      const account = await registerPending();
      const form = await openForm(app.client, await app.mailbox.linkTo(account.mail));
      passSeconds(DAY_SECONDS);
      expectPage(await app.client.page(form.path), 404, 'This link does not work');
      expectPage(await sendForm(app.client, form), 404, 'This link does not work');
      expectFailure(await tryLogin(account), 403, 3001);
    });

    it('sends links that expire with the registration, and none afterwards', async () => {
      const account = await registerPending();
      const sendAgain = () =>
        app.client.post('/v1/user/register/verify/mail', { mail: account.mail, app_id: 'pluto' });
      passSeconds(DAY_SECONDS - 60);
      expectOk(await sendAgain(), {});
      const mail = await app.mailbox.waitFor(account.mail, 2);
      expect(mail.text).toContain('1 minute');
      passSeconds(60);
      expectPage(await app.client.page(linkIn(mail)), 404, 'This link does not work');
      const before = await countLinks();
      expectOk(await sendAgain(), {});
      expect(await countLinks()).toBe(before);
    });

    it('leaves handle and mail to whoever registers after that', async () => {
      const account = await registerPending();
      await app.mailbox.waitFor(account.mail);
      passSeconds(DAY_SECONDS);
      expectOk(await register({ ...account, password: 'another password' }));
      expectPage(await app.client.submit(await app.mailbox.linkTo(account.mail, 2)), 200, 'confirmed');
      await login(app, { ...account, password: 'another password' });
    });
  });
});

it('leaves the search index exact', () => expectSearchIndexIsExact(app));
