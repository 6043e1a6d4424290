import { startTestApp, type TestApp } from '../support/app.js';
import { Browser } from '../support/browser.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { expectFailure, expectPage } from '../support/expectations.js';
import {
  app,
  AUTHORIZE,
  browser,
  countSessions,
  expectSentTo,
  isSignedIn,
  LOGIN,
  pathTo,
  shop,
  wechat,
  useWebShop,
} from '../support/web-shop.js';

useWebShop();

describe('/web/login/wechat', () => {
  const WECHAT = '/web/login/wechat';

  /** Goes to WeChat, where somebody scans the code. @returns the path of Pluto to return to */
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

  it('signs in, keeps no other cookie, and continues to next', async () => {
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

  it("continues to the application's sign-in page if next is not one of Pluto's pages", async () => {
    for (const next of ['', 'https://e.com', '//e.com', '/\\e.com']) {
      const by = browser();
      expectSentTo(
        await by.get(await scan(by, { app_id: shop.name, next })),
        `/web/login?app_id=${shop.name}`,
      );
      expect([await isSignedIn(by, shop.name), await isSignedIn(by)]).toEqual([true, false]);
    }
  });

  it('returns through a long authorization request', async () => {
    const state = JSON.stringify({ to: '/a?b=c&d=e', nonce: '%'.repeat(400) });
    const next = pathTo('/web/authorize', { client_id: 'desk', state });
    const by = browser();
    expectSentTo(await by.get(await scan(by, { next })), next);
  });

  // Browsers ignore cookies of more than 4096 bytes.
  it('signs in even if next is too long for the cookie', async () => {
    const next = pathTo('/web/authorize', { client_id: 'desk', state: '"'.repeat(1000) });
    const by = browser();
    expect((await by.get(await scan(by, { next }))).status).toBe(302);
    expect(await isSignedIn(by)).toBe(true);
  });

  it('does not follow a next planted in the cookie', async () => {
    const by = browser();
    const back = await scan(by);
    const { value } = by.cookies.get('pluto_wechat')!;
    by.plant('pluto_wechat', value + encodeURIComponent('//e.com'), WECHAT);
    expectSentTo(await by.get(back), '/web/login?app_id=pluto');
  });

  it('does not sign in another browser', async () => {
    const before = await countSessions();
    const [by, other] = [browser(), browser()];
    const back = await scan(by);
    await scan(other);
    for (const stranger of [browser(), other]) expectPage(await stranger.get(back), 403, 'Sign-in failed');
    expect(await countSessions()).toBe(before);
    expect((await by.get(back)).status).toBe(302);
  });

  it('accepts a state once', async () => {
    const by = browser();
    const back = await scan(by);
    const kept = by.cookies.get('pluto_wechat')!;
    expect((await by.get(back)).status).toBe(302);
    by.cookies.set(kept.name, kept);
    const code = wechat.code(wechat.person());
    expectPage(await by.get(back.replace(/code=[^&]+/, `code=${code}`)), 403, 'Sign-in failed');
  });

  it.each([
    ['a tampered state', (back: string) => back.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))],
    ['no state', (back: string) => back.replace(/&?state=\w+/, '')],
    ['two states', (back: string) => `${back}&${/state=\w+/.exec(back)![0]}`],
    ['a wrong code', (back: string) => back.replace(/code=[^&]+/, 'code=wrong')],
    ['no code: declined', (back: string) => back.replace(/code=[^&]+&/, '')],
  ])('signs nobody in with %s', async (_, spoil) => {
    const by = browser();
    expectPage(await by.get(spoil(await scan(by))), 403, 'Sign-in failed');
    expect(await isSignedIn(by)).toBe(false);
  });

  it('shows that the sign-in failed after declining at WeChat', async () => {
    wechat.decline();
    const by = browser();
    expectPage(await by.get(await scan(by)), 403, 'Sign-in failed');
    expect(await isSignedIn(by)).toBe(false);
  });

  it('accepts a state for ten minutes', async () => {
    freezeClock();
    try {
      const [inTime, late] = [browser(), browser()];
      const backs = [await scan(inTime), await scan(late)] as const;
      passSeconds(599);
      expect((await inTime.get(backs[0])).status).toBe(302);
      passSeconds(1);
      expectPage(await late.get(backs[1]), 403, 'Sign-in failed');
    } finally {
      thawClock();
    }
  });

  it('refuses a state of the API, and the API one of the pages', async () => {
    const API = '/v1/user/login/wechat/web';
    const by = browser();
    const back = await scan(by);
    expectFailure(await app.client.get(back.replace(`${WECHAT}/back`, API)), 403, 1002);
    const { state } = (await app.client.get(`${API}?app_id=pluto`)).body;
    for (const secret of [by.cookies.get('pluto_wechat')!.value, ':', '']) {
      by.plant('pluto_wechat', secret, WECHAT);
      const foreign = back.replace(/state=\w+/, `state=${state}`);
      expectPage(await by.get(foreign), 403, 'Sign-in failed');
    }
  });

  it('does nothing on HEAD, which link scanners send', async () => {
    const by = browser();
    const back = await scan(by);
    const head = await by.request('HEAD', back);
    expect([head.status, head.setCookies]).toEqual([405, []]);
    expect((await by.get(back)).status).toBe(302);
  });

  it('reports an unknown application', async () => {
    expectPage(await browser().get(`${WECHAT}?app_id=org.example.unknown`), 403, 'Unknown application');
  });
});

describe('on a server behind https and without WeChat', () => {
  let secure: TestApp;
  beforeAll(async () => {
    secure = await startTestApp({ env: { PUBLIC_URL: 'https://pluto.test', PAGE_SESSION_TTL: '60' } });
  });
  afterAll(() => secure.close());

  it('marks every cookie as secure, and keeps a session for its configured lifetime', async () => {
    const by = new Browser(secure.url);
    const page = await by.get(LOGIN);
    const filledIn = { account: 'admin@pluto.test', password: 'admin password' };
    const cookies = [...page.setCookies, ...(await by.submit(page.forms[0], filledIn)).setCookies];
    expect(cookies.map(({ name }) => name)).toEqual(['__Host-pluto_csrf', 'access_token', 'pluto_device']);
    for (const { attributes } of cookies)
      expect(attributes).toMatchObject({ secure: '', httponly: '', samesite: 'Lax' });
    expect(cookies[1]?.attributes['max-age']).toBe('60');
  });

  it('does not offer WeChat', async () => {
    const by = new Browser(secure.url);
    expect((await by.get(LOGIN)).text).not.toContain('wechat');
    const start = await by.get('/web/login/wechat');
    expectPage(start, 403, 'Not allowed');
    expect(start.setCookies).toEqual([]);
  });
});
