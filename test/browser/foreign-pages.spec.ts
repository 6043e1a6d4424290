import { AuthorizationCode } from '../../src/oauth/authorization-code.entity.js';
import { PageSession } from '../../src/token/page-session.entity.js';
import { Session } from '../../src/token/session.entity.js';
import { addAccount } from '../support/accounts.js';
import { describeInChromium } from '../support/chromium.js';
import { cookiesOf, nextNumber } from '../support/client.js';
import { texts, visitPages, watchedPage } from './support.js';
import {
  app,
  authorizeUrl,
  browser,
  desk,
  ENGLISH,
  forgotUrl,
  headed,
  loginUrl,
  page,
  place,
  press,
  shop,
  signIn,
  site,
  useClientSite,
} from './client-site.js';

useClientSite();

const countGrants = async () =>
  Promise.all([AuthorizationCode, PageSession, Session].map((table) => app.dataSource.manager.count(table)));

describeInChromium('a page of another origin in a browser', () => {
  /** A form on that page, with a token that its author requested. */
  async function forge(path: string, fields: Record<string, string>): Promise<string> {
    const own = await app.client.page('/web/login');
    const _csrf = /name="_csrf" value="([^"]*)"/.exec(own.text)?.[1] ?? '';
    expect([_csrf, cookiesOf(own)]).toEqual([
      expect.stringMatching(/.{20}/),
      expect.stringContaining('csrf'),
    ]);
    const inputs = Object.entries({ ...fields, _csrf })
      .map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`)
      .join('');
    const body = `<form method="post" action="${app.url}${path}">${inputs}<button>Win a prize</button></form>`;
    const address = `/forged${nextNumber()}`;
    site.pages.set(address, page('Prizes', body));
    return address;
  }

  // Cookies ignore ports: they are sent to another port of this host, but not to another host.
  it.each(['127.0.0.1', 'localhost'])('cannot submit forms for the signed-in user: %s', async (host) => {
    const origin = `http://${host}:${site.port}`;
    const account = await addAccount(app, { app_id: shop.name });
    const forged = await Promise.all([
      forge('/web/authorize', {
        client_id: desk.key,
        app_id: shop.name,
        redirect_uri: desk.redirectUri,
        response_type: 'code',
        decision: 'allow',
      }),
      forge('/web/login', { account: account.mail, password: account.password, app_id: shop.name }),
      forge('/web/logout', { app_id: shop.name }),
      forge('/web/password/forgot', { app_id: shop.name, mail: account.mail }),
    ]);
    await visitPages({ browser, origins: [app.url, origin] }, ENGLISH, async (page) => {
      const handle = await signIn(page);
      await page.goto(authorizeUrl(desk));
      const before = await countGrants();
      for (const address of forged) {
        await page.goto(origin + address);
        const answered = page.waitForResponse((response) => response.request().method() === 'POST');
        await press(page, 'Win a prize');
        expect((await answered).status()).toBe(403);
        await headed(page, texts.en['error.title.csrf']!);
      }
      expect(await countGrants()).toEqual(before);
      expect(await app.mailbox.to(account.mail)).toEqual([]);
      await page.goto(loginUrl(shop.name));
      expect(await page.getByRole('main').innerText()).toContain(`@${handle}`);
    });
  });

  it('cannot show the pages in a frame', async () => {
    const addresses = [authorizeUrl(desk), loginUrl('pluto'), forgotUrl('pluto'), `${app.url}/web/nothing`];
    const frames = addresses.map((url) => `<iframe src="${url.replaceAll('&', '&amp;')}"></iframe>`).join('');
    site.pages.set('/frames', page('Frames', frames));
    const { page: tab, faults } = await watchedPage(place(), ENGLISH);
    try {
      await signIn(tab);
      await tab.goto(`${site.url}/frames`);
      const inside = tab.frames().slice(1);
      expect(inside.map((frame) => frame.url())).toEqual(
        addresses.map(() => 'chrome-error://chromewebdata/'),
      );
      for (const frame of inside) expect(await frame.locator('main, form').count()).toBe(0);
      const refusals = faults.filter((fault) => fault.includes("frame-ancestors 'none'"));
      expect(refusals).toHaveLength(addresses.length);
    } finally {
      await tab.context().close();
    }
  });
});
