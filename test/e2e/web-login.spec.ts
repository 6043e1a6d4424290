import { ApplicationName } from '../../src/rbac/application-name.entity.js';
import { PageSession } from '../../src/token/page-session.entity.js';
import { login, addAccount, registration, type TestAccount } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication, type TestApplication } from '../support/applications.js';
import { Browser, type Cookie, type PageAnswer } from '../support/browser.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { expectFailure, expectOk, expectPage } from '../support/expectations.js';
import { FakeWechat } from '../support/wechat.js';

const LOGIN = '/web/login';
const FORGOT = '/web/password/forgot';
const PAGE_SESSION_TTL_SECONDS = 14 * 24 * 60 * 60;
const WRONG = 'The email, user ID or password is not correct. Please try again.';
const EVIL = `"'><script>alert(1)</script>&amp;{{x}}`;
const AUTHORIZE = '/web/authorize?client_id=desk&state=a%2Bb+c%2520%26d%3D%C3%A9%22%3C%3E&x=//e.com';

let wechat: FakeWechat;
let app: TestApp;
let shop: TestApplication;
let ann: TestAccount;
beforeAll(async () => {
  wechat = await FakeWechat.start();
  app = await startTestApp({ env: wechat.env });
  shop = await addApplication(app, { name: 'org.example.shop', roles: { customer: ['shop.buy'] } });
  const names = { en: 'Corner Shop', ja: '角の店', zh: '街角商店' };
  for (const [tag, name] of Object.entries(names))
    await app.dataSource.manager.insert(ApplicationName, { applicationId: shop.id, tag, name });
  ann = await addAccount(app);
});
afterEach(() => wechat.assertNothingUnexpected());
afterAll(async () => {
  await app.close();
  await wechat.close();
});

const browser = (language?: string) => new Browser(app.url, language);
const countSessions = () => app.dataSource.manager.count(PageSession);

function pathTo(path: string, query: Record<string, string>): string {
  return `${path}?${new URLSearchParams(query).toString()}`;
}

/** Opens the sign-in page and sends the form. */
async function signIn(
  by: Browser,
  { account = ann, password = account.password, query = {} }: SignIn = {},
): Promise<PageAnswer> {
  const page = await by.get(pathTo(LOGIN, { app_id: account.app_id, ...query }));
  return by.submit(page.forms[0], { account: account.mail, password });
}
interface SignIn {
  account?: TestAccount;
  password?: string;
  query?: Record<string, string>;
}

async function isSignedIn(by: Browser, appId = 'pluto'): Promise<boolean> {
  const page = await by.get(pathTo(LOGIN, { app_id: appId }));
  expect(page.status).toBe(200);
  return page.words.includes('You are signed in');
}

function sessionCookie(answer: PageAnswer): Cookie | undefined {
  return answer.setCookies.find(({ name }) => name === 'access_token');
}

function expectSentTo(answer: PageAnswer, location: string): void {
  expect([answer.status, answer.location]).toEqual([302, location]);
}

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

  it('goes straight on where somebody is signed in already', async () => {
    const by = browser();
    await signIn(by);
    expectSentTo(await by.get(pathTo(LOGIN, { next: AUTHORIZE })), AUTHORIZE);
  });
});

describe('POST /web/login', () => {
  it('goes on to next with every parameter, for a mail and for a handle', async () => {
    for (const account of [ann.mail.toUpperCase(), ann.user_id]) {
      expectSentTo(
        await signIn(browser(), { account: { ...ann, mail: account }, query: { next: AUTHORIZE } }),
        AUTHORIZE,
      );
    }
  });

  it('shows who is signed in when there is nowhere to go', async () => {
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

  it('makes a new session at each login, and ends the one that the browser had', async () => {
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

  it('tells nobody but who knows the password that the mail is not confirmed', async () => {
    const account = registration();
    expectOk(await app.client.post('/v1/user/register', account));
    expectPage(await signIn(browser(), { account }), 403, 'Your email address is not confirmed yet.');
    expectPage(await signIn(browser(), { account, password: 'wrong password' }), 403, WRONG);
  });

  it('signs nobody in without the form that this browser was shown', async () => {
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

  it('takes a repeated field for none', async () => {
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

  it.each([LOGIN, FORGOT, '/web/logout'])('does not take JSON: %s', async (path) => {
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

  it('answers the tokens, and no cookie', async () => {
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

describe('a session of the pages', () => {
  it('ends when the user signs out, and for this browser alone', async () => {
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

  it('is no API token, and the API takes no cookie', async () => {
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

  it('is opened by no API token in the cookie', async () => {
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

  it.each(['', 'no mail', 'a@b', 'a@example.com, b@example.com'])(
    'shows the form again for %j',
    async (mail) => {
      const page = await askFor(mail, { next: AUTHORIZE });
      expectPage(page, 400, 'This is not an email address.');
      expect(page.forms[0]?.fields).toMatchObject({ mail, next: AUTHORIZE });
    },
  );

  it('leads back to the sign-in, which goes on to next', async () => {
    const query = { app_id: shop.name, next: AUTHORIZE };
    const back = pathTo(LOGIN, query);
    expect((await browser().get(back)).links).toContain(pathTo(FORGOT, query));
    expect((await browser().get(pathTo(FORGOT, query))).links).toContain(back);
    expect((await askFor('nobody@example.com', query)).links).toContain(back);
    expect((await askFor('nobody@example.com', { next: 'https://e.com' })).links).toEqual([
      '/web/login?app_id=pluto',
    ]);
  });

  it('sends nothing without the form that this browser was shown', async () => {
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

describe('/web/login/wechat', () => {
  const WECHAT = '/web/login/wechat';

  /** Goes to WeChat, where somebody scans the code. @returns the way back, as a path of Pluto */
  async function scan(by: Browser, query: Record<string, string> = {}): Promise<string> {
    const start = await by.get(pathTo(WECHAT, query));
    expect(start.status).toBe(302);
    expect(new URL(start.location).origin).toBe(wechat.url);
    const { headers } = await fetch(start.location, { redirect: 'manual' });
    const back = new URL(headers.get('location')!);
    expect([back.origin, back.pathname]).toEqual([app.settings.publicUrl, `${WECHAT}/back`]);
    return back.pathname + back.search;
  }
  beforeEach(() => wechat.scanAs(wechat.person({ nickname: 'Wei' })));

  it('signs in, keeps no other cookie, and goes on to next', async () => {
    const by = browser();
    expect((await by.get(pathTo(LOGIN, { next: AUTHORIZE }))).links).toContain(
      pathTo(WECHAT, { app_id: 'pluto', next: AUTHORIZE }),
    );
    const back = await scan(by, { next: AUTHORIZE });
    expect(by.cookies.get('pluto_wechat')?.attributes).toMatchObject({
      path: WECHAT,
      httponly: '',
      samesite: 'Lax',
      'max-age': '600',
    });
    expectSentTo(await by.get(back), AUTHORIZE);
    expect(by.cookies.has('pluto_wechat')).toBe(false);
    expect((await by.get(LOGIN)).words).toContain('Wei');
  });

  it('goes on to the sign-in page of the application when next is none of ours', async () => {
    for (const next of ['', 'https://e.com', '//e.com', '/\\e.com']) {
      const by = browser();
      expectSentTo(
        await by.get(await scan(by, { app_id: shop.name, next })),
        `/web/login?app_id=${shop.name}`,
      );
      expect([await isSignedIn(by, shop.name), await isSignedIn(by)]).toEqual([true, false]);
    }
  });

  it('comes back through a request for consent as long as clients make them', async () => {
    const state = JSON.stringify({ to: '/a?b=c&d=e', nonce: '%'.repeat(400) });
    const next = pathTo('/web/authorize', { client_id: 'desk', state });
    const by = browser();
    expectSentTo(await by.get(await scan(by, { next })), next);
  });

  // A browser keeps no cookie of more than 4096 bytes.
  it('signs in although next is too long to be remembered', async () => {
    const next = pathTo('/web/authorize', { client_id: 'desk', state: '"'.repeat(1000) });
    const by = browser();
    expect((await by.get(await scan(by, { next }))).status).toBe(302);
    expect(await isSignedIn(by)).toBe(true);
  });

  it('follows no next that was put into the cookie', async () => {
    const by = browser();
    const back = await scan(by);
    const { value } = by.cookies.get('pluto_wechat')!;
    by.plant('pluto_wechat', value + encodeURIComponent('//e.com'), WECHAT);
    expectSentTo(await by.get(back), '/web/login?app_id=pluto');
  });

  it('signs nobody in in another browser', async () => {
    const before = await countSessions();
    const [by, other] = [browser(), browser()];
    const back = await scan(by);
    await scan(other);
    for (const stranger of [browser(), other])
      expectPage(await stranger.get(back), 403, 'Sign-in did not work');
    expect(await countSessions()).toBe(before);
    expect((await by.get(back)).status).toBe(302);
  });

  it('takes a state once', async () => {
    const by = browser();
    const back = await scan(by);
    const kept = by.cookies.get('pluto_wechat')!;
    expect((await by.get(back)).status).toBe(302);
    by.cookies.set(kept.name, kept);
    const code = wechat.code(wechat.person());
    expectPage(await by.get(back.replace(/code=[^&]+/, `code=${code}`)), 403, 'Sign-in did not work');
  });

  it.each([
    ['a tampered state', (back: string) => back.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))],
    ['no state', (back: string) => back.replace(/&?state=\w+/, '')],
    ['two states', (back: string) => `${back}&${/state=\w+/.exec(back)![0]}`],
    ['a wrong code', (back: string) => back.replace(/code=[^&]+/, 'code=wrong')],
    ['no code: declined', (back: string) => back.replace(/code=[^&]+&/, '')],
  ])('signs nobody in with %s', async (_, spoil) => {
    const by = browser();
    expectPage(await by.get(spoil(await scan(by))), 403, 'Sign-in did not work');
    expect(await isSignedIn(by)).toBe(false);
  });

  it('shows who declines at WeChat that there is no sign-in', async () => {
    wechat.decline();
    const by = browser();
    expectPage(await by.get(await scan(by)), 403, 'Sign-in did not work');
    expect(await isSignedIn(by)).toBe(false);
  });

  it('takes a state for ten minutes', async () => {
    freezeClock();
    try {
      const [inTime, late] = [browser(), browser()];
      const backs = [await scan(inTime), await scan(late)] as const;
      passSeconds(599);
      expect((await inTime.get(backs[0])).status).toBe(302);
      passSeconds(1);
      expectPage(await late.get(backs[1]), 403, 'Sign-in did not work');
    } finally {
      thawClock();
    }
  });

  it('takes no state of the API, and the API none of the pages', async () => {
    const API = '/v1/user/login/wechat/web';
    const by = browser();
    const back = await scan(by);
    expectFailure(await app.client.get(back.replace(`${WECHAT}/back`, API)), 403, 1002);
    const { state } = (await app.client.get(`${API}?app_id=pluto`)).body;
    for (const secret of [by.cookies.get('pluto_wechat')!.value, ':', '']) {
      by.plant('pluto_wechat', secret, WECHAT);
      const foreign = back.replace(/state=\w+/, `state=${state}`);
      expectPage(await by.get(foreign), 403, 'Sign-in did not work');
    }
  });

  it('does nothing on HEAD, which scanners of links send', async () => {
    const by = browser();
    const back = await scan(by);
    const head = await by.request('HEAD', back);
    expect([head.status, head.setCookies]).toEqual([405, []]);
    expect((await by.get(back)).status).toBe(302);
  });

  it('shows that there is no such application', async () => {
    expectPage(await browser().get(`${WECHAT}?app_id=org.example.unknown`), 403, 'Unknown application');
  });
});

describe('on a server behind https and without WeChat', () => {
  let secure: TestApp;
  beforeAll(async () => {
    secure = await startTestApp({ env: { PUBLIC_URL: 'https://pluto.test', PAGE_SESSION_TTL: '60' } });
  });
  afterAll(() => secure.close());

  it('marks every cookie as secure, and keeps a session as long as it is told to', async () => {
    const by = new Browser(secure.url);
    const page = await by.get(LOGIN);
    const filledIn = { account: 'admin@pluto.test', password: 'admin password' };
    const cookies = [...page.setCookies, ...(await by.submit(page.forms[0], filledIn)).setCookies];
    expect(cookies.map(({ name }) => name)).toEqual(['__Host-pluto_csrf', 'access_token', 'pluto_device']);
    for (const { attributes } of cookies)
      expect(attributes).toMatchObject({ secure: '', httponly: '', samesite: 'Lax' });
    expect(cookies[1]?.attributes['max-age']).toBe('60');
  });

  it('offers no WeChat', async () => {
    const by = new Browser(secure.url);
    expect((await by.get(LOGIN)).text).not.toContain('wechat');
    const start = await by.get('/web/login/wechat');
    expectPage(start, 403, 'Not allowed');
    expect(start.setCookies).toEqual([]);
  });
});
