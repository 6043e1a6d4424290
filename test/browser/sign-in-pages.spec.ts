import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { addAccount, registration } from '../support/accounts.js';
import { addApplication } from '../support/applications.js';
import { describeInChromium } from '../support/chromium.js';
import { nextNumber } from '../support/client.js';
import { addClient } from '../support/oauth.js';
import {
  expectFits,
  expectSound,
  languages,
  looks,
  PHONE,
  screenshot,
  SMALL_PHONE,
  texts,
  type Language,
} from './support.js';
import {
  app,
  authorizeUrl,
  backAtClient,
  desk,
  ENGLISH,
  forgotUrl,
  headed,
  inBrowser,
  loginUrl,
  longScopes,
  type Person,
  press,
  shop,
  SHOP_NAMES,
  signIn,
  site,
  STATE,
  useClientSite,
} from './client-site.js';

useClientSite();

const LONG = 255;
/** Valid for Chromium, but not for Pluto. */
const NO_MAIL = 'nobody..here@example.org';

describeInChromium('the pages of sign-in and consent in a browser', () => {
  const wrongPassword = async (page: Page, appId: string, language: Language = 'en') => {
    await page.goto(loginUrl(appId));
    await page.getByLabel(texts[language]['login.account']!).fill('nobody@example.com');
    await page.getByLabel(texts[language]['login.password']!).fill('wrong password');
    await page.getByRole('button', { name: texts[language]['login.button']!, exact: true }).click();
    await page.getByRole('alert').waitFor();
  };
  const forgotten = async (page: Page, mail: string) => {
    await page.goto(forgotUrl(shop.name));
    await page.locator('#mail').fill(mail);
    await page.locator('button').click();
    await page.locator(mail.endsWith('.com') ? '.icon-success' : '[role=alert]').waitFor();
  };
  const mailLink = async (kind: 'verify' | 'reset') => {
    const account = registration({ app_id: shop.name });
    await app.client.post('/v1/user/register', account);
    const link = await app.mailbox.linkTo(account.mail);
    if (kind === 'verify') return app.url + link;
    await app.client.submit(link);
    await app.client.post('/v1/user/password/reset/mail', { mail: account.mail, app_id: shop.name });
    return app.url + (await app.mailbox.linkTo(account.mail, 2));
  };
  const signedInTo = async (page: Page, url: string, person: Person = {}) => {
    await signIn(page, person);
    await page.goto(url);
  };
  const expired = async (page: Page) => {
    await page.goto(loginUrl('pluto'));
    await page.context().clearCookies();
    await page.locator('#account').fill('ann');
    await page.locator('#password').fill('some password');
    await page.locator('button').click();
    await page.locator('.icon-warning').waitFor();
  };

  type Open = (page: Page, language?: Language) => Promise<unknown>;
  const everyPage: [name: string, heading: string, open: Open][] = [
    ['login', 'login.title', (page) => page.goto(loginUrl('pluto'))],
    ['login-wechat', 'login.title', (page) => page.goto(loginUrl(shop.name))],
    ['login-error', 'login.title', (page, language) => wrongPassword(page, shop.name, language)],
    ['signed-in', 'signed-in.title', (page) => signedInTo(page, loginUrl(shop.name))],
    [
      'authorize',
      'authorize.title',
      (page) => signedInTo(page, authorizeUrl(desk, { scopes: 'shop.read shop.buy' })),
    ],
    [
      'authorize-no-scopes',
      'authorize.title',
      (page) => signedInTo(page, authorizeUrl(desk), { role: 'nobody' }),
    ],
    ['forgot', 'password-forgot.title', (page) => page.goto(forgotUrl(shop.name))],
    ['forgot-error', 'password-forgot.title', (page) => forgotten(page, NO_MAIL)],
    ['forgot-done', 'password-forgot-done.title', (page) => forgotten(page, 'nobody@example.com')],
    ['error-client', 'error.title.client', (page) => page.goto(authorizeUrl({ ...desk, key: 'unknown' }))],
    [
      'error-redirect',
      'error.title.redirectUri',
      (page) => page.goto(authorizeUrl(desk, { redirect_uri: 'https://e.com' })),
    ],
    ['error-application', 'error.title.application', (page) => page.goto(loginUrl('unknown'))],
    [
      'error-sign-in',
      'error.title.signIn',
      (page) => page.goto(`${app.url}/web/login/wechat/back?state=x&code=y`),
    ],
    ['error-csrf', 'error.title.csrf', expired],
    ['not-found', 'not-found.title', (page) => page.goto(`${app.url}/web/nothing`)],
    ['verify-mail', 'verify-mail.title', async (page) => page.goto(await mailLink('verify'))],
    ['password-reset', 'password-reset.title', async (page) => page.goto(await mailLink('reset'))],
  ];

  /** Untranslated text: names, codes, addresses. */
  const proper = [
    ...['王小明', 'WeChat', 'Cookie', 'Pluto', 'pluto', 'desk', 'ID', '127.0.0.1', 'shop.read', 'shop.buy'],
    ...['nobody@example.com', NO_MAIL, ...Object.values(SHOP_NAMES)],
  ];

  async function expectTranslated(page: Page, language: Language): Promise<void> {
    const words = (await page.title()) + '\n' + (await page.getByRole('main').innerText());
    const rest = proper
      .reduce((text, name) => text.replaceAll(name, ''), words)
      .replace(/@\w+|user\d+\S*|User \d+|[0-9a-f-]{36}/g, '');
    expect(rest).not.toMatch(language === 'en' ? /[\u3040-\u30ff\u4e00-\u9fff]/ : /[a-z]{2}/i);
    if (language === 'zh') expect(rest).not.toMatch(/[\u3040-\u30ff]/);
    expect(rest).not.toMatch(/[{}]|undefined|null/);
  }

  it.each(Object.keys(languages) as Language[])(
    'are sound and translated in %s, on phone and desktop, light and dark',
    async (language) => {
      await inBrowser({ locale: languages[language] }, async (page) => {
        for (const [name, heading, open] of everyPage) {
          await page.context().clearCookies();
          await open(page, language);
          await expectSound(page, language, heading, `oauth-${name}`);
          await expectTranslated(page, language);
          await page.setViewportSize(SMALL_PHONE);
          await expectFits(page);
        }
      });
    },
  );

  it.each(everyPage)('pass the axe checks: %s', async (_name, _heading, open) => {
    const axe = readFileSync(createRequire(__filename).resolve('axe-core/axe.min.js'), 'utf8');
    await inBrowser({ ...ENGLISH, javaScriptEnabled: true, reducedMotion: 'reduce' }, async (page) => {
      await open(page);
      await page.evaluate(`${axe};0`);
      for (const { device, viewport, colorScheme } of looks) {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme });
        const { violations, passes } = await page.evaluate<AxeResults>(
          `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })`,
        );
        const objections = violations.flatMap(({ id, help, nodes }) =>
          nodes.map(({ html, failureSummary }) => `${id}: ${help}\n${html}\n${failureSummary}`),
        );
        expect([device, colorScheme, objections]).toEqual([device, colorScheme, []]);
        expect(passes.map(({ id }) => id)).toEqual(
          expect.arrayContaining(['color-contrast', 'html-has-lang']),
        );
      }
    });
  });

  it('work with the keyboard alone', async () => {
    const account = await addAccount(app, { app_id: shop.name });
    await inBrowser(ENGLISH, async (page) => {
      const focused = async () => {
        const { name, outline, width } = await page.evaluate<Record<string, string>>(`(() => {
            const element = document.activeElement;
            const { outlineStyle, outlineWidth } = getComputedStyle(element);
            return { name: element.id || element.innerText, outline: outlineStyle, width: outlineWidth };
          })()`);
        expect([name, outline, width]).toEqual([name, 'solid', '2px']);
        return name;
      };
      const tabs = async (count: number, key = 'Tab') => {
        const names = [await focused()];
        for (let i = 0; i < count; i++) {
          await page.keyboard.press(key);
          names.push(await focused());
          await screenshot(page, `focus-${nextNumber()}-${names.at(-1)!.replace(/\W/g, '')}`);
        }
        return names;
      };

      await page.goto(authorizeUrl(desk));
      expect(await tabs(4)).toEqual([
        ...['account', 'password', 'Sign in', 'Sign in with WeChat', 'Forgot your password?'],
      ]);
      await page.keyboard.press('Enter');
      await headed(page, 'Forgot your password?');
      expect(await tabs(2)).toEqual(['mail', 'Send link', 'Back to sign-in']);
      await page.keyboard.press('Enter');
      await headed(page, 'Sign in');
      await page.keyboard.type(account.mail);
      await page.keyboard.press('Tab');
      await page.keyboard.type('wrong password');
      await page.keyboard.press('Enter');
      await page.getByRole('alert').waitFor();
      expect(await focused()).toBe('password');
      await page.keyboard.type(account.password);
      await page.keyboard.press('Enter');
      await headed(page, 'Allow access?');
      await page.keyboard.press('Tab');
      expect(await tabs(2)).toEqual(['Allow', 'Do not allow', 'Sign out']);
      expect(await tabs(2, 'Shift+Tab')).toEqual(['Sign out', 'Do not allow', 'Allow']);
      await page.keyboard.press('Enter');
      expect(await backAtClient(page)).toMatchObject({ code: expect.any(String) });

      await page.goto(loginUrl(shop.name));
      await page.keyboard.press('Tab');
      expect(await focused()).toBe('Sign out');
      await page.keyboard.press('Space');
      await headed(page, 'Sign in');
    });
  });

  it('do not submit an empty form', async () => {
    await inBrowser(ENGLISH, async (page) => {
      await page.goto(loginUrl('pluto'));
      await press(page, 'Sign in');
      await page.getByLabel('Email or user ID').fill('ann');
      await press(page, 'Sign in');
      expect(await page.getByRole('alert').count()).toBe(0);
      expect(await page.evaluate('document.activeElement.id')).toBe('password');
    });
  });

  it('show long names without overflow', async () => {
    const client = await addClient(app, {
      key: 'k'.repeat(LONG),
      redirectUri: `https://${'long-host-name.'.repeat(16)}example/back`,
    });
    const big = await addApplication(app, {
      name: `${'a'.repeat(90)}${nextNumber()}`,
      roles: { user: [] },
    });
    const mail = `${'m'.repeat(60)}@${'long-domain-name.'.repeat(8)}example`;
    await inBrowser({ ...ENGLISH, viewport: SMALL_PHONE }, async (page) => {
      const expectHeld = async (name: string) => {
        for (const viewport of [SMALL_PHONE, PHONE]) {
          await page.setViewportSize(viewport);
          await expectFits(page);
        }
        await screenshot(page, `long-${name}`);
      };
      await wrongPassword(page, big.name);
      await page.getByLabel('Email or user ID').fill(mail);
      await expectHeld('login');
      await page.goto(forgotUrl(big.name));
      await expectHeld('forgot');
      await page.getByLabel('Email address').fill(mail);
      await press(page, 'Send link');
      await headed(page, 'Check your email');
      await expectHeld('forgot-done');
      const person = { name: 'W'.repeat(60), handle: `${'w'.repeat(90)}${nextNumber()}`, role: 'clerk' };
      await signedInTo(page, authorizeUrl(client, { scopes: longScopes().join(' ') }), person);
      await headed(page, 'Allow access?');
      await expectHeld('authorize');
      await expectSound(page, 'en', 'authorize.title', 'long-authorize');
      await page.goto(loginUrl(shop.name));
      await headed(page, 'You are signed in');
      await expectHeld('signed-in');
    });
  });

  it('show a client key with markup as plain text', async () => {
    const key = `<img src=x onerror=alert(1)>"'&amp;`;
    const client = await addClient(app, { key, redirectUri: `${site.url}/back` });
    await inBrowser({ ...ENGLISH, javaScriptEnabled: true }, async (page) => {
      await signedInTo(page, authorizeUrl(client));
      expect(await page.getByRole('main').innerText()).toContain(key);
      expect(await page.locator('img').count()).toBe(0);
      await press(page, 'Allow');
      expect(await backAtClient(page)).toMatchObject({ code: expect.any(String), state: STATE });
    });
  });
});
