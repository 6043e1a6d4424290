import type { Browser } from 'playwright-core';
import { addAccount } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication, type TestApplication } from '../support/applications.js';
import { describeInChromium, launchChromium } from '../support/chromium.js';
import { addClient, type TestOAuthClient } from '../support/oauth.js';
import { PathProxy } from '../support/path-proxy.js';
import { ClientSite, ENGLISH, headed, press } from './client-site.js';
import { visitPages } from './support.js';

const BASE = '/accounts/pluto';

describeInChromium('a browser behind a proxy that removes the path of PUBLIC_URL', () => {
  let browser: Browser;
  let proxy: PathProxy;
  let site: ClientSite;
  let app: TestApp;
  let shop: TestApplication;
  let desk: TestOAuthClient;
  beforeAll(async () => {
    [browser, proxy, site] = await Promise.all([launchChromium(), PathProxy.start(BASE), ClientSite.start()]);
    app = await startTestApp({ env: { PUBLIC_URL: proxy.origin + BASE } });
    proxy.target = app.url;
    shop = await addApplication(app, { name: 'org.example.shop', roles: { customer: ['shop.read'] } });
    desk = await addClient(app, { redirectUri: `${site.url}/back` });
  });
  afterAll(async () => {
    await browser?.close();
    site?.close();
    await app?.close();
    proxy?.close();
  });
  const place = () => ({ browser, origins: [proxy.origin, site.url] });

  it('signs in, consents, and arrives at the client', async () => {
    const account = await addAccount(app, { app_id: shop.name });
    const parameters = {
      client_id: desk.key,
      app_id: shop.name,
      redirect_uri: desk.redirectUri,
      response_type: 'code',
    };
    await visitPages(place(), ENGLISH, async (page) => {
      await page.goto(`${proxy.origin}${BASE}/web/authorize?${new URLSearchParams(parameters).toString()}`);
      await headed(page, 'Sign in');
      await page.getByLabel('Email or user ID').fill(account.mail);
      await page.getByLabel('Password').fill(account.password);
      await page.getByRole('button', { name: 'Sign in', exact: true }).click();
      await headed(page, 'Allow access?');
      const button = page.getByRole('button', { name: 'Allow', exact: true });
      // The style sheets are there: without them a button has no background of its own.
      expect(await button.evaluate('(button) => getComputedStyle(button).backgroundColor')).not.toBe(
        'rgb(239, 239, 239)',
      );
      await press(page, 'Allow');
      await headed(page, 'Back at Desk');
      expect(new URL(page.url()).searchParams.get('code')).toMatch(/^\S+$/);
      const cookies = await page.context().cookies();
      expect(cookies.map(({ path }) => path).sort()).toEqual([`${BASE}/`, `${BASE}/web`, `${BASE}/web`]);
    });
  });

  it('shows the documentation, which calls the API below the path', async () => {
    await visitPages(place(), { ...ENGLISH, javaScriptEnabled: true }, async (page) => {
      await page.goto(`${proxy.origin}${BASE}/`);
      await page.getByRole('heading', { name: /^Pluto API/ }).waitFor();
      const operation = page.locator('[id^=operations-Health]').first();
      await operation.click();
      await operation.getByRole('button', { name: 'Try it out' }).click();
      const answered = page.waitForResponse(`${proxy.origin}${BASE}/v1/healthcheck`);
      await operation.getByRole('button', { name: 'Execute' }).click();
      expect((await answered).status()).toBe(200);
    });
  });
});
