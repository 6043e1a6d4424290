import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { Identity } from '../../src/users/identity.entity.js';
import { addAccount, login } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { describeInChromium, launchChromium } from '../support/chromium.js';
import { nextNumber } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { linkIn } from '../support/mailbox.js';
import { openSession } from '../support/sessions.js';
import { addUser } from '../support/users.js';
import { expectSound, languages, texts, visitPages, type Language } from './support.js';

let app: TestApp;
let browser: Browser;

const inBrowser = (options: BrowserContextOptions, visit: (page: Page) => Promise<void>) =>
  visitPages({ browser, origins: [app.url] }, options, visit);

/** The link in the newest mail to the address whose path begins so. */
async function linkTo(address: string, path: string): Promise<string> {
  const link = await eventually(async () => {
    const links = (await app.mailbox.to(address)).map(linkIn).filter((one) => one.startsWith(path));
    return links.at(-1);
  }, `a link ${path} to ${address}`);
  return app.url + link;
}

/** A signed-in account that has asked for another address. */
async function asking(): Promise<{ mail: string; next: string; password: string; token: string }> {
  const { id, mail, password } = await addAccount(app);
  const { accessToken: token } = await openSession(app, id, 'pluto');
  const next = `new${nextNumber()}@example.com`;
  const answer = await app.client.post('/v1/user/mail/change', { mail: next }, { token });
  expect(answer.status).toBe(200);
  return { mail, next, password, token };
}

describeInChromium('the pages that change a mail address', () => {
  beforeAll(async () => {
    browser = await launchChromium();
    app = await startTestApp();
  });
  afterAll(async () => {
    await browser?.close();
    await app?.close();
  });

  it.each(Object.keys(languages) as Language[])(
    'confirm, undo and stop without JavaScript, in %s, on phone and desktop, and lead on',
    async (language) => {
      const text = (key: string) => texts[language][key]!;
      const press = (page: Page, key: string) => page.getByRole('button', { name: text(key) }).click();
      const [ann, bob] = [await asking(), await asking()];
      await inBrowser({ locale: languages[language] }, async (page) => {
        await page.goto(await linkTo(ann.next, '/web/mail/change/'));
        await expectSound(page, language, 'mail-change.title', 'mail-change');
        await press(page, 'mail-change.button');
        await expectSound(page, language, 'mail-change-done.title', 'mail-change-done');
        await login(app, { mail: ann.next, password: ann.password });
        await page.getByRole('link', { name: text('login.title') }).click();
        await page.getByRole('heading', { name: text('login.title') }).waitFor();

        await page.goto(await linkTo(ann.mail, '/web/mail/change/undo/'));
        await expectSound(page, language, 'mail-change-undo.title.undo', 'mail-change-undo');
        await press(page, 'mail-change-undo.button.undo');
        await expectSound(page, language, 'mail-change-undone.title.undo', 'mail-change-undone');
        await page.getByRole('link', { name: text('mail-change-undone.next') }).click();
        await page.getByRole('heading', { name: text('password-forgot.title') }).waitFor();

        await page.goto(await linkTo(bob.mail, '/web/mail/change/undo/'));
        await expectSound(page, language, 'mail-change-undo.title.stop', 'mail-change-stop');
        await press(page, 'mail-change-undo.button.stop');
        await expectSound(page, language, 'mail-change-undone.title.stop', 'mail-change-stopped');
        await page.goto(await linkTo(bob.next, '/web/mail/change/'));
        await expectSound(page, language, 'link-invalid.title');
        expect(await page.getByRole('main').innerText()).toContain(text('link-invalid.next.change'));
      });
    },
  );

  it.each(Object.keys(languages) as Language[])(
    'a reset lists what was added recently and removes what is unticked, in %s',
    async (language) => {
      const text = (key: string) => texts[language][key]!;
      const number = nextNumber();
      const mail = `owner${number}@example.com`;
      const id = await addUser(app, {
        identities: [
          { loginType: 'mail', mail },
          { loginType: 'google', mail: `owner${number}@gmail.com` },
          { loginType: 'wechat', mail: '' },
        ],
      });
      await app.client.post('/v1/user/password/reset/mail', { mail, app_id: 'pluto' });
      await inBrowser({ locale: languages[language] }, async (page) => {
        await page.goto(await linkTo(mail, '/web/password/reset/'));
        await expectSound(page, language, 'password-reset.title', 'reset-recent');
        const boxes = page.getByRole('checkbox');
        expect(await boxes.count()).toBe(2);
        await page.getByRole('checkbox', { name: text('sign-in-method.wechat') }).uncheck();
        for (const key of ['password', 'repeat'])
          await page.getByLabel(text(`password-reset.${key}`), { exact: true }).fill('fresh horse battery');
        await page.getByRole('button', { name: text('password-reset.button') }).click();
        await expectSound(page, language, 'password-reset-done.title', 'reset-recent-done');
      });
      const left = await app.dataSource.manager.findBy(Identity, { userId: id });
      expect(left.map(({ loginType }) => loginType).sort()).toEqual(['google', 'mail']);
    },
  );
});
