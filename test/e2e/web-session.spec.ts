import { login, addAccount } from '../support/accounts.js';
import { type PageAnswer } from '../support/browser.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { expectFailure, expectOk, expectPage } from '../support/expectations.js';
import {
  ann,
  app,
  AUTHORIZE,
  browser,
  expectSentTo,
  FORGOT,
  isSignedIn,
  LOGIN,
  PAGE_SESSION_TTL_SECONDS,
  pathTo,
  sessionCookie,
  shop,
  signIn,
  useWebShop,
} from '../support/web-shop.js';

useWebShop();

describe('a session of the pages', () => {
  it('ends when the user signs out, only in this browser', async () => {
    const [by, elsewhere] = [browser(), browser()];
    const token = sessionCookie(await signIn(by))!.value;
    await signIn(elsewhere);
    const { forms } = await by.get(LOGIN);
    expectPage(await by.post('/web/logout', { app_id: 'pluto' }), 403, 'This form has expired');
    expectPage(await elsewhere.submit(forms[0]), 403, 'This form has expired');
    expect([await isSignedIn(by), await isSignedIn(elsewhere)]).toEqual([true, true]);

    const answer = await by.submit(forms[0]);
    expectSentTo(answer, '/web/login?app_id=pluto');
    expect(sessionCookie(answer)).toMatchObject({ value: '', attributes: { path: '/web', 'max-age': '0' } });
    by.plant('access_token', token);
    expect([await isSignedIn(by), await isSignedIn(elsewhere)]).toEqual([false, true]);
  });

  it('is for one application', async () => {
    const by = browser();
    await signIn(by);
    expect(await isSignedIn(by, shop.name)).toBe(false);
    expect(await isSignedIn(by)).toBe(true);
  });

  it('is not an API token, and the API accepts no cookie', async () => {
    const by = browser();
    const token = sessionCookie(await signIn(by))!.value;
    expectFailure(await app.client.get('/v1/user/info', { token }), 403, 3003);
    expectFailure(await app.client.get(`/v1/token/access/verify?token=${token}`), 403, 3003);
    expectFailure(
      await app.client.get('/v1/user/info', { headers: { cookie: `access_token=${token}` } }),
      401,
      1003,
    );
    expect(app.log()).not.toContain(token);
  });

  it('is not opened by an API token in the cookie', async () => {
    const { access_token, refresh_token } = await login(app, ann);
    for (const token of [access_token, refresh_token, 'A'.repeat(43), '%00', '"']) {
      const by = browser();
      by.plant('access_token', token);
      expect(await isSignedIn(by)).toBe(false);
    }
  });

  it('ends when the password is reset and when the account is deleted', async () => {
    const account = await addAccount(app);
    const by = browser();
    await signIn(by, { account });
    await app.client.post('/v1/user/password/reset/mail', account);
    await app.client.submit(await app.mailbox.linkTo(account.mail), { password: 'fresh horse battery' });
    expect(await isSignedIn(by)).toBe(false);

    await signIn(by, { account, password: 'fresh horse battery' });
    expect(await isSignedIn(by)).toBe(true);
    const { access_token: token } = await login(app, { ...account, password: 'fresh horse battery' });
    expectOk(await app.client.post('/v1/user/delete', undefined, { token }), {});
    expect(await isSignedIn(by)).toBe(false);
  });

  it('expires', async () => {
    freezeClock();
    try {
      const by = browser();
      await signIn(by);
      passSeconds(PAGE_SESSION_TTL_SECONDS - 1);
      expect(await isSignedIn(by)).toBe(true);
      passSeconds(1);
      expect(await isSignedIn(by)).toBe(false);
    } finally {
      thawClock();
    }
  });
});

describe('/web/password/forgot', () => {
  async function askFor(mail: string, query: Record<string, string> = {}): Promise<PageAnswer> {
    const by = browser();
    return by.submit((await by.get(pathTo(FORGOT, query))).forms[0], { mail });
  }

  it('shows the same page for a known mail and an unknown one, and writes to the known one only', async () => {
    const { mail } = await addAccount(app);
    const [known, unknown] = [await askFor(` ${mail} `), await askFor('nobody@example.com')];
    for (const page of [known, unknown]) expectPage(page, 200, 'Check your email');
    expect(known.text.replaceAll(mail, 'X')).toBe(unknown.text.replaceAll('nobody@example.com', 'X'));
    expect(await app.mailbox.linkTo(mail)).toContain('/web/password/reset/');
    expect(await app.mailbox.to('nobody@example.com')).toEqual([]);
  });

  it.each(['', 'no mail', 'a@', 'a@example.com, b@example.com'])(
    'shows the form again for %j',
    async (mail) => {
      const page = await askFor(mail, { next: AUTHORIZE });
      expectPage(page, 400, 'This is not a valid email address.');
      expect(page.forms[0]?.fields).toMatchObject({ mail, next: AUTHORIZE });
    },
  );

  it('leads back to the sign-in, which continues to next', async () => {
    const query = { app_id: shop.name, next: AUTHORIZE };
    const back = pathTo(LOGIN, query);
    expect((await browser().get(back)).links).toContain(pathTo(FORGOT, query));
    expect((await browser().get(pathTo(FORGOT, query))).links).toContain(back);
    expect((await askFor('nobody@example.com', query)).links).toContain(back);
    expect((await askFor('nobody@example.com', { next: 'https://e.com' })).links).toEqual([
      '/web/login?app_id=pluto',
    ]);
  });

  it('refuses a form that was not rendered for this browser', async () => {
    const form = (await browser().get(FORGOT)).forms[0];
    expectPage(await browser().submit(form, { mail: ann.mail }), 403, 'This form has expired');
    expect(await app.mailbox.to(ann.mail)).toEqual([]);
  });

  it.each([
    ['zh', '忘记密码？', '请查收邮件'],
    ['ja', 'パスワードをお忘れですか？', 'メールをご確認ください'],
  ])('is in the language %s', async (language, title, done) => {
    const by = browser(language);
    const page = await by.get(FORGOT);
    expectPage(page, 200, title);
    expectPage(await by.submit(page.forms[0], { mail: 'nobody@example.com' }), 200, done);
  });
});
