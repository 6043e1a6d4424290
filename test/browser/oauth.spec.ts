import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { addAccount } from '../support/accounts.js';
import { ISSUER } from '../support/authorizations.js';
import { describeInChromium } from '../support/chromium.js';
import { addClient, exchangeOf, getTokens, makePkce } from '../support/oauth.js';
import { decodeToken } from '../support/tokens.js';
import { texts, visitPages, watchedPage } from './support.js';
import {
  app,
  authorizeUrl,
  backAtClient,
  browser,
  desk,
  ENGLISH,
  headed,
  inBrowser,
  loginUrl,
  page,
  place,
  press,
  shop,
  signIn,
  site,
  STATE,
  wechat,
  useClientSite,
} from './client-site.js';

useClientSite();

const POLICY = 'Content Security Policy';

/** Types into the sign-in form and sends it. */
async function fillIn(page: Page, account: string, password: string): Promise<void> {
  await page.getByLabel('Email or user ID').fill(account);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

describeInChromium('a client in a browser', () => {
  /** Presses a button of the consent page. @throws Error when the browser blocks the redirect */
  async function submit(page: Page, button: string): Promise<void> {
    const answered = page.waitForResponse(`${app.url}/web/authorize`);
    const messages: string[] = [];
    page.on('console', (message) => messages.push(message.text()));
    await press(page, button);
    expect((await answered).status()).toBe(302);
    // Chromium reports a blocked redirect immediately; there is no event for the absence of a report.
    await sleep(300);
    const refusal = messages.find((message) => message.includes(POLICY));
    if (refusal) throw new Error(refusal);
  }

  /** No program handles the scheme: the test only sees that the browser tried to open it. */
  async function expectSentOn(redirectUri: string, button: string): Promise<void> {
    const client = await addClient(app, { redirectUri });
    const { page, faults } = await watchedPage(place(), ENGLISH);
    try {
      await signIn(page);
      await page.goto(authorizeUrl(client));
      const sent = page.waitForResponse(`${app.url}/web/authorize`);
      await submit(page, button);
      const { location = '' } = (await sent).headers();
      expect(location.startsWith(`${redirectUri}?${button === 'Allow' ? 'code' : 'error'}=`)).toBe(true);
      expect(faults.filter((fault) => fault.includes(POLICY))).toEqual([]);
    } finally {
      await page.context().close();
    }
  }

  it('gets a code after a wrong password, a sign-in and consent', async () => {
    const account = await addAccount(app, { app_id: shop.name });
    const { verifier, request } = makePkce();
    const target = authorizeUrl(desk, { scopes: 'shop.buy', ...request });
    site.pages.set(
      '/',
      page('Desk', `<a href="${target.replaceAll('&', '&amp;')}">Sign in with Corner Shop</a>`),
    );
    await inBrowser(ENGLISH, async (page) => {
      await page.goto(`${site.url}/`);
      await page.getByRole('link').click();
      await headed(page, 'Sign in');
      await fillIn(page, account.mail, 'wrong password');
      expect(await page.getByRole('alert').innerText()).toBe(texts.en['login.error.invalidPassword']);
      expect(await page.getByLabel('Email or user ID').inputValue()).toBe(account.mail);
      expect(await page.getByLabel('Password').inputValue()).toBe('');
      expect(await page.evaluate('document.activeElement.id')).toBe('password');
      await fillIn(page, account.mail, account.password);
      await headed(page, 'Allow access?');
      const main = await page.getByRole('main').innerText();
      for (const shown of [
        'desk',
        account.name,
        `@${account.user_id}`,
        'Corner Shop',
        new URL(site.url).host,
      ])
        expect(main).toContain(shown);
      expect(await page.getByRole('listitem').allInnerTexts()).toEqual(['shop.buy']);
      await press(page, 'Allow');
      const { code = '', ...rest } = await backAtClient(page);
      expect(rest).toEqual({ state: STATE, iss: ISSUER });
      const tokens = await getTokens(app, desk, exchangeOf(desk, code, { code_verifier: verifier }));
      expect(decodeToken(tokens.access_token)).toMatchObject({ claims: { scopes: ['shop.buy'] } });
    });
  });

  it('gets an error when access is denied', async () => {
    await inBrowser(ENGLISH, async (page) => {
      await signIn(page);
      await page.goto(authorizeUrl(desk));
      await press(page, 'Do not allow');
      expect(await backAtClient(page)).toEqual({
        error: 'access_denied',
        error_code: '1002',
        state: STATE,
        iss: ISSUER,
      });
    });
  });

  it('gets an access token in the fragment', async () => {
    await inBrowser(ENGLISH, async (page) => {
      await signIn(page);
      await page.goto(authorizeUrl(desk, { response_type: 'token' }));
      await press(page, 'Allow');
      expect(await backAtClient(page)).toEqual({});
      expect(Object.fromEntries(new URLSearchParams(new URL(page.url()).hash.slice(1)))).toEqual({
        access_token: expect.stringMatching(/^ey/),
        token_type: 'Bearer',
        expires_in: expect.stringMatching(/^\d+$/),
        scopes: 'shop.read',
        state: STATE,
        iss: ISSUER,
      });
    });
  });

  it('gets the consent of another user who signs in instead', async () => {
    const account = await addAccount(app, { app_id: shop.name });
    await inBrowser(ENGLISH, async (page) => {
      const other = await signIn(page);
      await page.goto(authorizeUrl(desk));
      expect(await page.getByRole('main').innerText()).toContain(`@${other}`);
      await press(page, 'Sign out');
      await headed(page, 'Sign in');
      await fillIn(page, account.user_id, account.password);
      await headed(page, 'Allow access?');
      expect(await page.getByRole('main').innerText()).toContain(`@${account.user_id}`);
      await press(page, 'Allow');
      expect(await backAtClient(page)).toMatchObject({ code: expect.any(String), state: STATE });
    });
  });

  it('gets the browser back after a password reset', async () => {
    const account = await addAccount(app, { app_id: shop.name });
    await inBrowser(ENGLISH, async (page) => {
      await page.goto(authorizeUrl(desk));
      await page.getByRole('link', { name: 'Forgot your password?' }).click();
      await headed(page, 'Forgot your password?');
      await page.getByRole('link', { name: 'Back to sign-in' }).click();
      await headed(page, 'Sign in');
      await page.goBack();
      await page.getByLabel('Email address').fill('nobody');
      await press(page, 'Send link');
      await headed(page, 'Forgot your password?');
      await page.getByLabel('Email address').fill(account.mail);
      await press(page, 'Send link');
      await headed(page, 'Check your email');
      const link = await app.mailbox.linkTo(account.mail);
      await page.getByRole('link', { name: 'Back to sign-in' }).click();
      await fillIn(page, account.mail, account.password);
      await headed(page, 'Allow access?');
      await page.goto(app.url + link);
      await headed(page, 'Choose a new password');
    });
  });

  it('requires a new sign-in when the session has ended meanwhile', async () => {
    await inBrowser(ENGLISH, async (page) => {
      await signIn(page);
      await page.goto(authorizeUrl(desk));
      await page.context().clearCookies({ name: 'access_token' });
      await press(page, 'Allow');
      await headed(page, 'Sign in');
    });
  });

  it('gets errors in its request without a sign-in', async () => {
    await inBrowser(ENGLISH, async (page) => {
      await page.goto(authorizeUrl(desk, { response_type: 'id_token' }));
      expect(await backAtClient(page)).toMatchObject({ error: 'unsupported_response_type' });
    });
  });

  it('may redirect the browser within its own origin', async () => {
    const client = await addClient(app, { redirectUri: `${site.url}/callback` });
    site.redirects.set('/callback', '/welcome');
    site.pages.set('/welcome', page('Welcome', ''));
    await inBrowser(ENGLISH, async (page) => {
      await signIn(page);
      await page.goto(authorizeUrl(client));
      await press(page, 'Allow');
      await headed(page, 'Welcome');
    });
  });

  // Browsers apply the policy of Pluto's page to the client's own redirects, too.
  it('may redirect the browser to another origin', async () => {
    const client = await addClient(app, { redirectUri: `${site.url}/handover` });
    const other = `http://localhost:${site.port}`;
    site.redirects.set('/handover', `${other}/back`);
    await visitPages({ browser, origins: [app.url, site.url, other] }, ENGLISH, async (page) => {
      await signIn(page);
      await page.goto(authorizeUrl(client));
      await submit(page, 'Allow');
      await headed(page, 'Back at Desk');
    });
  });

  it.each(['Allow', 'Do not allow'])('may be an app with a custom scheme: %s', (button) =>
    expectSentOn('org.example.desk:/back', button),
  );

  it('may listen on the loopback address of IPv6', () => expectSentOn('http://[::1]:8099/back', 'Allow'));
});

describeInChromium('logins in a browser', () => {
  it('go to WeChat and come back', async () => {
    const { page: tab, faults } = await watchedPage({ browser, origins: [app.url, wechat.url] }, ENGLISH);
    await tab.route('**/favicon.ico', (route) => route.fulfill({ status: 204 }));
    await tab.goto(loginUrl(shop.name));
    await tab.getByRole('button', { name: 'Sign in with WeChat' }).click();
    await tab.getByAltText('QR code').waitFor();
    expect(faults).toEqual([]);
    await tab.context().close();
  });
});
