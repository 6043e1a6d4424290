import { PageSession } from '../../src/token/page-session.entity.js';
import { registration } from '../support/accounts.js';
import { expectFailure, expectOk, expectPage } from '../support/expectations.js';
import {
  ann,
  app,
  AUTHORIZE,
  browser,
  countSessions,
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

const WRONG = 'The email, user ID or password is incorrect. Please try again.';
const EVIL = `"'><script>alert(1)</script>&amp;{{x}}`;

describe('GET /web/login', () => {
  it('shows the form for pluto when no application is named', async () => {
    for (const path of [LOGIN, `${LOGIN}?app_id=`, `${LOGIN}?next=${LOGIN}&next=//e.com`]) {
      const page = await browser().get(path);
      expectPage(page, 200, 'Sign in');
      expect(page.forms[0]).toMatchObject({ action: LOGIN, fields: { app_id: 'pluto', next: '' } });
    }
  });

  it.each([
    ['en', 'Sign in', 'Corner Shop'],
    ['zh-CN', '登录', '街角商店'],
    ['ja', 'ログイン', '角の店'],
    ['fr', 'Sign in', 'Corner Shop'],
  ])('names page and application in the language %s', async (language, title, name) => {
    expectPage(await browser(language).get(`${LOGIN}?app_id=${shop.name}`), 200, `${title} – ${name}`);
  });

  it.each(['org.example.unknown', '%00', EVIL, 'pluto&app_id=org.example.shop'])(
    'shows that there is no application %s',
    async (appId) => {
      for (const path of [LOGIN, FORGOT]) {
        const page = await browser().get(`${path}?app_id=${appId}`);
        expectPage(page, 403, 'Unknown application');
        expect(page.text).not.toContain('<script');
      }
    },
  );

  it.each([LOGIN, FORGOT, `${LOGIN}?app_id=org.example.unknown`])(
    'is guarded by headers: %s',
    async (path) => {
      const { headers } = await browser().get(path);
      const policy = headers.get('content-security-policy') ?? '';
      for (const part of [
        "default-src 'none'",
        "form-action 'self';",
        "base-uri 'none'",
        "frame-ancestors 'none'",
      ])
        expect(policy).toContain(part);
      expect(policy).not.toContain('script-src');
      expect(Object.fromEntries(headers)).toMatchObject({
        'cache-control': 'no-store',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
      });
    },
  );

  it('escapes what it shows', async () => {
    const by = browser();
    for (const path of [LOGIN, FORGOT]) {
      const page = await by.get(pathTo(path, { next: `/web/login?${EVIL}`, account: EVIL }));
      expectPage(page, 200, 'password');
      expect(page.text).not.toMatch(/<script|alert\(1\)<|"'>/);
    }
    const again = await signIn(by, { account: { ...ann, mail: EVIL } });
    expectPage(again, 403, WRONG);
    expect(again.text).not.toContain('<script');
    expect(again.forms[0]?.fields.account).toBe(EVIL);
    const forgot = await by.get(FORGOT);
    const wrongMail = await by.submit(forgot.forms[0], { mail: EVIL });
    expect(wrongMail.text).not.toContain('<script');
    expect(wrongMail.forms[0]?.fields.mail).toBe(EVIL);
  });

  it('continues immediately if somebody is already signed in', async () => {
    const by = browser();
    await signIn(by);
    expectSentTo(await by.get(pathTo(LOGIN, { next: AUTHORIZE })), AUTHORIZE);
  });
});

describe('POST /web/login', () => {
  it('continues to next with every parameter, for a mail and for a handle', async () => {
    for (const account of [ann.mail.toUpperCase(), ann.user_id]) {
      expectSentTo(
        await signIn(browser(), { account: { ...ann, mail: account }, query: { next: AUTHORIZE } }),
        AUTHORIZE,
      );
    }
  });

  it('shows who is signed in if there is no next page', async () => {
    const by = browser();
    const answer = await signIn(by);
    expectSentTo(answer, '/web/login?app_id=pluto');
    const page = await by.get(answer.location);
    expectPage(page, 200, 'You are signed in');
    for (const text of [ann.name, `@${ann.user_id}`, 'Sign out']) expect(page.words).toContain(text);
  });

  it('puts an opaque session into a cookie for pages only', async () => {
    const cookie = sessionCookie(await signIn(browser()));
    expect(cookie?.value).toMatch(/^[\w-]{43}$/);
    expect(cookie?.attributes).toEqual({
      'max-age': String(PAGE_SESSION_TTL_SECONDS),
      path: '/web',
      httponly: '',
      samesite: 'Lax',
    });
    expect(await app.dataSource.manager.findBy(PageSession, { tokenHash: cookie!.value })).toEqual([]);
  });

  it("creates a new session at each login, and ends the browser's previous one", async () => {
    const [by, elsewhere] = [browser(), browser()];
    const old = sessionCookie(await signIn(by))!.value;
    await signIn(elsewhere);
    const page = await browser().get(LOGIN);
    const csrf = page.setCookies[0]!;
    by.cookies.set(csrf.name, csrf);
    const answer = await by.submit(page.forms[0], { account: ann.mail, password: ann.password });
    expect(sessionCookie(answer)?.value).not.toBe(old);
    const thief = browser();
    thief.plant('access_token', old);
    expect([await isSignedIn(thief), await isSignedIn(by), await isSignedIn(elsewhere)]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it.each([
    ['a wrong password', () => ({ account: ann.mail, password: 'wrong password' })],
    ['an unknown account', () => ({ account: 'nobody@example.com', password: ann.password })],
    [
      'an account of another application',
      () => ({ account: 'admin@pluto.test', password: 'admin password', app_id: shop.name }),
    ],
    ['a password around blanks', () => ({ account: ann.mail, password: ` ${ann.password}` })],
    ['no password', () => ({ account: ann.mail, password: '' })],
    ['no account', () => ({ account: '', password: ann.password })],
    ['too long a password', () => ({ account: ann.mail, password: 'p'.repeat(1025) })],
    ['a control character', () => ({ account: `${ann.mail}\0`, password: ann.password })],
  ])('shows the form again, with the account and without the password, for %s', async (_, fields) => {
    const by = browser();
    const given = fields();
    const page = await by.submit((await by.get(pathTo(LOGIN, { next: AUTHORIZE }))).forms[0], given);
    expectPage(page, 403, WRONG);
    expect(page.forms[0]?.fields).toMatchObject({ account: given.account, password: '', next: AUTHORIZE });
    if (given.password !== '') expect(page.text).not.toContain(given.password.trim());
    expect(sessionCookie(page)).toBeUndefined();
    const good = await by.submit(page.forms[0], {
      account: ann.mail,
      password: ann.password,
      app_id: 'pluto',
    });
    expectSentTo(good, AUTHORIZE);
  });

  it('reveals an unconfirmed mail only for the right password', async () => {
    const account = registration();
    expectOk(await app.client.post('/v1/user/register', account));
    expectPage(await signIn(browser(), { account }), 403, 'Your email address is not confirmed yet.');
    expectPage(await signIn(browser(), { account, password: 'wrong password' }), 403, WRONG);
  });

  it('refuses a form that was not rendered for this browser', async () => {
    const before = await countSessions();
    const [by, stranger] = [browser(), browser()];
    const form = (await by.get(LOGIN)).forms[0]!;
    await stranger.get(LOGIN);
    const elsewhere = (await by.get(FORGOT)).forms[0]!.fields._csrf!;
    const filled = { account: ann.mail, password: ann.password };
    for (const answer of [
      await by.post(LOGIN, filled),
      await by.submit(form, { ...filled, _csrf: '' }),
      await by.submit(form, { ...filled, _csrf: elsewhere }),
      await stranger.submit(form, filled),
      await browser().submit(form, filled),
      await by.post(LOGIN, [...Object.entries(filled), ['_csrf', form.fields._csrf!], ['_csrf', 'x']]),
    ]) {
      expectPage(answer, 403, 'This form has expired');
      expect(sessionCookie(answer)).toBeUndefined();
    }
    expect(await countSessions()).toBe(before);
    expect((await by.submit(form, filled)).status).toBe(302);
  });

  it('treats a repeated field as empty', async () => {
    const by = browser();
    const { _csrf } = (await by.get(LOGIN)).forms[0]!.fields as { _csrf: string };
    const fields: [string, string][] = [
      ['_csrf', _csrf],
      ['account', ann.mail],
      ['password', ann.password],
    ];
    expectPage(await by.post(LOGIN, [...fields, ['account', ann.mail]]), 403, WRONG);
    expectPage(await by.post(LOGIN, [...fields, ['password', 'x']]), 403, WRONG);
    expectPage(
      await by.post(LOGIN, [...fields, ['app_id', 'pluto'], ['app_id', shop.name]]),
      403,
      'Unknown application',
    );
    const nexts: [string, string][] = [
      ['next', AUTHORIZE],
      ['next', 'https://e.com'],
    ];
    expectSentTo(await by.post(LOGIN, [...fields, ...nexts]), '/web/login?app_id=pluto');
  });

  it.each([LOGIN, FORGOT, '/web/logout'])('refuses JSON: %s', async (path) => {
    expectFailure(await app.client.post(path, { account: ann.mail, password: ann.password }), 415, 1008);
  });

  it.each([
    ...[
      '//e.com',
      '///e.com',
      '/\\e.com',
      '\\e',
      '\\\\e.com',
      'https:e.com',
      'https://e.com',
      'javascript:alert(1)',
    ],
    ...[
      '/web/../..//e.com',
      '/%2f%2fe.com',
      '/web/login/../../v1/x',
      ' /web/login',
      '/web/@e.com',
      '/\t/e.com',
    ],
    ...['/\n/e.com', '/web/authorize@e.com', '?x', '', '/web/x\r\nset-cookie:x=y', '/web/.%2e//e.com'],
  ])('stays on Pluto whatever next is: %j', async (next) => {
    const by = browser();
    const signedIn = await signIn(by, { query: { next } });
    const shown = await by.get(pathTo(LOGIN, { next }));
    const { forms } = await by.get(LOGIN);
    const signedOut = await by.submit(forms[0], { next });
    for (const { location } of [signedIn, signedOut, ...(shown.status === 302 ? [shown] : [])]) {
      expect(location).toMatch(/^\/web\/[a-z]/);
      expect(new URL(location, app.settings.publicUrl).origin).toBe(app.settings.publicUrl);
    }
  });
});

describe('POST /web/login by a program', () => {
  const ask = (fields: Record<string, string>) =>
    browser().post(LOGIN, fields, { accept: 'application/json' });

  it('returns the tokens, and no cookie', async () => {
    const answer = await ask({
      account: ann.mail,
      password: ann.password,
      app_id: 'pluto',
      device_id: 'laptop',
    });
    expectOk(answer, {
      access_token: expect.any(String),
      access_token_expire_at: expect.any(Number),
      refresh_token: expect.any(String),
      refresh_token_expire_at: expect.any(Number),
      type: 'Bearer',
    });
    expect(answer.headers.get('content-type')).toContain('application/json');
    expect(answer.setCookies).toEqual([]);
    expectOk(await app.client.get('/v1/user/info', { token: answer.body.access_token }));
  });

  it.each([
    ['a wrong password', 3001, { password: 'wrong password' }],
    ['no password', 3001, { password: '' }],
    ['an unknown account', 3001, { account: 'nobody' }],
    ['an unknown application', 4005, { app_id: 'org.example.unknown' }],
  ])('refuses %s with %i', async (_, code, change) => {
    expectFailure(
      await ask({ account: ann.mail, password: ann.password, app_id: 'pluto', ...change }),
      403,
      code,
    );
  });

  it('refuses an unconfirmed mail with 2003', async () => {
    const account = registration();
    expectOk(await app.client.post('/v1/user/register', account));
    expectFailure(await ask({ account: account.mail, password: account.password }), 403, 2003);
  });
});
