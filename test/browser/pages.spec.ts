import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { MailVerificationService } from '../../src/auth/registration/mail-verification.service.js';
import {
  addAccount,
  login,
  registerVerified,
  registration,
  signedIn,
  type TestAccount,
} from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { linkIn } from '../support/mailbox.js';
import { describeInChromium, launchChromium } from '../support/chromium.js';
import {
  expectFits,
  expectSound,
  languages,
  PHONE,
  screenshot,
  SMALL_PHONE,
  texts,
  visitPages,
  type Language,
} from './support.js';

let app: TestApp;
let browser: Browser;

const inBrowser = (options: BrowserContextOptions, visit: (page: Page) => Promise<void>) =>
  visitPages({ browser, origins: [app.url] }, options, visit);

async function registerIn(language: Language, change: Partial<TestAccount> = {}): Promise<TestAccount> {
  const account = registration(change);
  const headers = { 'accept-language': languages[language] };
  expect((await app.client.post('/v1/user/register', account, { headers })).status).toBe(200);
  return account;
}

async function resetLink(account: TestAccount, mailNumber: number): Promise<string> {
  await app.client.post('/v1/user/password/reset/mail', { mail: account.mail, app_id: 'pluto' });
  return app.url + (await app.mailbox.linkTo(account.mail, mailNumber));
}

describeInChromium('the pages in a browser', () => {
  beforeAll(async () => {
    browser = await launchChromium();
    app = await startTestApp();
  });
  afterAll(async () => {
    await browser?.close();
    await app?.close();
  });
  afterEach(() => jest.restoreAllMocks());

  it.each(Object.keys(languages) as Language[])(
    'confirm a mail and set a password without JavaScript, in %s, on phone and desktop, light and dark',
    async (language) => {
      const text = (key: string) => texts[language][key]!;
      const account = await registerIn(language);
      await inBrowser({ locale: languages[language] }, async (page) => {
        await page.goto(app.url + (await app.mailbox.linkTo(account.mail)));
        await expectSound(page, language, 'verify-mail.title', 'verify');
        expect(await page.getByRole('main').innerText()).toContain(account.mail);
        await page.getByRole('button', { name: text('verify-mail.button') }).click();
        await expectSound(page, language, 'verify-mail-done.title', 'verify-done');
        await login(app, account);

        await page.goto(await resetLink(account, 2));
        await expectSound(page, language, 'password-reset.title', 'reset');
        const field = (key: string) => page.getByLabel(text(`password-reset.${key}`), { exact: true });
        const save = page.getByRole('button', { name: text('password-reset.button') });
        expect(await field('account').inputValue()).toBe(account.mail);
        await field('password').fill('密码 with ünïcode');
        await field('repeat').fill('something else');
        await save.click();
        await expectSound(page, language, 'password-reset.title', 'reset-mismatch');
        expect(await page.getByRole('alert').innerText()).toBe(text('password-reset.error.mismatch'));
        expect(await field('repeat').getAttribute('aria-invalid')).toBe('true');
        expect(await page.evaluate('document.activeElement.id')).toBe('password');

        await field('password').fill('密码 with ünïcode');
        await field('repeat').fill('密码 with ünïcode');
        await save.click();
        await expectSound(page, language, 'password-reset-done.title', 'reset-done');
        await login(app, { ...account, password: '密码 with ünïcode' });
      });
    },
  );

  it.each(Object.keys(languages) as Language[])(
    'ask for the password when a mail is contested, without JavaScript, in %s, on phone and desktop',
    async (language) => {
      const text = (key: string) => texts[language][key]!;
      const stranger = await registerIn(language);
      const account = await registerIn(language, { mail: stranger.mail });
      await app.mailbox.waitFor(account.mail, 2);
      const pages = await Promise.all(
        (await app.mailbox.to(account.mail)).map(async (mail) => ({
          link: linkIn(mail),
          page: (await app.client.page(linkIn(mail))).text,
        })),
      );
      const linkOf = ({ user_id }: TestAccount) =>
        app.url + pages.find(({ page }) => page.includes(`@${user_id}<`))!.link;
      await inBrowser({ locale: languages[language], viewport: PHONE }, async (page) => {
        for (const one of [stranger, account]) {
          await page.goto(linkOf(one));
          await expectSound(page, language, 'verify-mail.title', 'verify-contested');
          const main = await page.getByRole('main').innerText();
          for (const shown of [account.mail, `@${one.user_id}`]) expect(main).toContain(shown);
          const field = page.getByLabel(text('verify-mail-contested.field.password'), { exact: true });
          expect(await page.evaluate('document.activeElement.id')).toBe('proof');
          await field.fill(account.password);
          await page.getByRole('button', { name: text('verify-mail.button') }).click();
          if (one === account) break;
          await expectSound(page, language, 'verify-mail.title', 'verify-contested-wrong');
          expect(await page.getByRole('alert').innerText()).toBe(
            text('verify-mail-contested.error.password'),
          );
          expect(await field.getAttribute('aria-invalid')).toBe('true');
          expect(await field.inputValue()).toBe('');
        }
        await expectSound(page, language, 'verify-mail-done.title', 'verify-done');
        await login(app, account);
      });
    },
  );

  it('work with the keyboard alone', async () => {
    const account = await registerIn('en');
    await inBrowser({ locale: 'en-GB' }, async (page) => {
      const focused = () => page.evaluate<string>('document.activeElement.id || document.activeElement.type');
      const outline = () => page.evaluate<string>('getComputedStyle(document.activeElement).outlineStyle');
      await page.goto(app.url + (await app.mailbox.linkTo(account.mail)));
      await page.keyboard.press('Tab');
      expect(await focused()).toBe('submit');
      expect(await outline()).toBe('solid');
      await screenshot(page, 'verify-focus');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: texts.en['verify-mail-done.title']! }).waitFor();

      await page.goto(await resetLink(account, 2));
      await page.keyboard.press('Tab');
      expect(await focused()).toBe('username');
      await page.keyboard.press('Tab');
      expect(await focused()).toBe('password');
      expect(await outline()).toBe('solid');
      await page.keyboard.type('typed by hand');
      await page.keyboard.press('Tab');
      expect(await focused()).toBe('password-repeat');
      await page.keyboard.type('typed by hand');
      await screenshot(page, 'reset-focus');
      await page.keyboard.press('Tab');
      expect(await focused()).toBe('submit');
      await page.keyboard.press('Shift+Tab');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: texts.en['password-reset-done.title']! }).waitFor();
      await login(app, { ...account, password: 'typed by hand' });
    });
  });

  it('do not submit a password that is too short', async () => {
    const account = await addAccount(app);
    await inBrowser({ locale: 'en-GB' }, async (page) => {
      await page.goto(await resetLink(account, 1));
      await page.getByLabel('New password', { exact: true }).fill('short');
      await page.getByLabel('Repeat the new password').fill('short');
      await page.getByRole('button').click();
      expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe(
        texts.en['password-reset.title'],
      );
      await login(app, account);
    });
  });

  it('say that a link was used, and accept a reset link once', async () => {
    const account = await registerVerified(app);
    const confirmed = app.url + (await app.mailbox.linkTo(account.mail));
    const reset = await resetLink(account, 2);
    await app.client.submit(new URL(reset).pathname, { password: 'another password' });
    await inBrowser({ viewport: PHONE, locale: 'en-GB' }, async (page) => {
      await page.goto(confirmed);
      await expectSound(page, 'en', 'verify-mail-already.title');
      await page.goto(reset);
      await expectSound(page, 'en', 'link-invalid.title');
      expect(await page.getByRole('main').innerText()).toContain(texts.en['link-invalid.next.reset']);
      await screenshot(page, 'link-invalid');
    });
  });

  it.each([
    ['en', '/nothing/here', 404, 'not-found.title'],
    ['zh', '/web/nothing', 404, 'not-found.title'],
    ['ja', '/web/mail/verify/unknown', 404, 'link-invalid.title'],
    ['ja', '/web/mail/verify/%ZZ', 400, 'error.title.badRequest'],
  ] as const)('explain themselves where something is wrong: %s, %s', async (language, path, status, key) => {
    await inBrowser({ locale: languages[language] }, async (page) => {
      const response = await page.goto(app.url + path);
      expect(response?.status()).toBe(status);
      await expectSound(page, language, key, `error-${status}`);
    });
  });

  it('explain a form from another browser, and a server error', async () => {
    const account = await registerIn('en');
    await inBrowser({ viewport: PHONE, locale: 'en-GB' }, async (page) => {
      const link = app.url + (await app.mailbox.linkTo(account.mail));
      await page.goto(link);
      await page.context().clearCookies();
      await page.getByRole('button').click();
      await expectSound(page, 'en', 'error.title.csrf');
      await screenshot(page, 'error-csrf');

      jest.spyOn(app.app.get(MailVerificationService), 'look').mockRejectedValue(new Error('boom'));
      const response = await page.goto(link);
      expect(response?.status()).toBe(500);
      await expectSound(page, 'en', 'error.title.server', 'error-500');
    });
  });

  it('show long names and addresses without overflow', async () => {
    const account = await registerIn('en', {
      name: 'W'.repeat(60),
      user_id: `${'w'.repeat(90)}${Date.now() % 1e9}`,
      mail: `${'m'.repeat(60)}@${'long-domain-name.'.repeat(8)}example`,
    });
    await inBrowser({ viewport: SMALL_PHONE, locale: 'en-GB' }, async (page) => {
      await page.goto(app.url + (await app.mailbox.linkTo(account.mail)));
      await expectFits(page);
      await screenshot(page, 'verify-long');
      await expectSound(page, 'en', 'verify-mail.title');
      await page.getByRole('button', { name: texts.en['verify-mail.button']! }).click();
      await page.goto(await resetLink(account, 2));
      await expectSound(page, 'en', 'password-reset.title');
      await page.setViewportSize(SMALL_PHONE);
      await expectFits(page);
      await screenshot(page, 'reset-long');
    });
  });

  it('show a name with markup as plain text', async () => {
    const name = '<img src=x onerror=alert(1)>';
    const account = await registerIn('en', { name });
    await inBrowser({ javaScriptEnabled: true, locale: 'en-GB' }, async (page) => {
      await page.goto(app.url + (await app.mailbox.linkTo(account.mail)));
      expect(await page.getByRole('main').innerText()).toContain(name);
      expect(await page.locator('img').count()).toBe(0);
    });
  });

  describe('with the API documentation', () => {
    it('renders, takes a token, and calls the API with it', async () => {
      const { token, account } = await signedIn(app);
      await inBrowser({ javaScriptEnabled: true, locale: 'en-GB' }, async (page) => {
        await page.goto(app.url);
        expect(page.url()).toBe(`${app.url}/docs`);
        await page.getByRole('heading', { name: /Pluto API/ }).waitFor();
        await screenshot(page, 'docs');

        await page.getByRole('button', { name: 'Authorize', exact: true }).click();
        const dialog = page.locator('.auth-container').filter({ hasText: 'AccessToken' });
        await dialog.getByRole('textbox').fill(token);
        await dialog.getByRole('button', { name: 'Apply credentials' }).click();
        await screenshot(page, 'docs-authorize');
        await page.locator('.dialog-ux').getByRole('button', { name: 'Close' }).first().click();

        const operation = page
          .locator('.opblock', { has: page.locator('[data-path="/v1/user/info"]') })
          .first();
        await operation.locator('.opblock-summary-control').click();
        await operation.getByRole('button', { name: 'Try it out' }).click();
        const answered = page.waitForResponse(`${app.url}/v1/user/info`);
        await operation.getByRole('button', { name: 'Execute' }).click();
        expect((await answered).status()).toBe(200);
        await operation.locator('.live-responses-table').getByText(account.mail).first().waitFor();
        await screenshot(page, 'docs-execute');
      });
    });
  });
});
