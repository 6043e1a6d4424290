import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Language, languages } from '../../src/common/languages.js';
import { loadCatalogues, placeholdersOf } from '../../src/common/views/catalogues.js';
import {
  type ErrorReason,
  type MailContexts,
  type MailName,
  mailNames,
  noticeKinds,
  type PageContexts,
  type PageName,
  pageNames,
  variants,
} from '../../src/common/views/contexts.js';
import { formatDuration } from '../../src/common/views/duration.js';
import { greetableName } from '../../src/common/views/plain-text.js';
import { Settings } from '../../src/config/settings.js';
import { Views, viewsDirectory } from '../../src/common/views/views.js';

const views = new Views(Settings.load({}));

const app = { applicationName: 'Morning Post' };
const form = { ...app, action: '/web/some/form', csrfToken: 'csrf-token-value' };

const pageContexts: PageContexts = {
  'verify-mail': { ...form, mail: 'ann@example.org', userName: 'Ann', handle: 'ann_1' },
  'verify-mail-contested': {
    ...form,
    mail: 'ann@example.org',
    handle: 'ann_1',
    proof: 'password',
    isWrong: true,
  },
  'verify-mail-done': { ...app, mail: 'ann@example.org' },
  'verify-mail-already': { ...app, mail: 'ann@example.org' },
  'password-reset': {
    ...form,
    mail: 'ann@example.org',
    bindings: [
      { id: 17, method: 'google', mail: 'ann@gmail.com', addedAt: 1_796_000_000, isKept: true },
      { id: 18, method: 'wechat', mail: '', addedAt: 1_796_000_000, isKept: false },
    ],
  },
  'password-reset-done': { ...app, loginHref: '/web/login?app_id=org.example.post' },
  'mail-change': { ...form, mail: 'new@example.org', userName: 'Ann', handle: 'ann_1' },
  'mail-change-done': { ...app, mail: 'new@example.org', loginHref: '/web/login?app_id=org.example.post' },
  'mail-change-taken': { ...app, mail: 'new@example.org', loginHref: '/web/login?app_id=org.example.post' },
  'mail-change-undo': { ...form, kind: 'undo', formerMail: 'ann@example.org', newMail: 'new@example.org' },
  'mail-change-undone': {
    ...app,
    kind: 'undo',
    mail: 'ann@example.org',
    forgotHref: '/web/password/forgot?app_id=org.example.post',
  },
  login: {
    ...form,
    applicationId: 'org.example.post',
    next: '/web/authorize?client_id=desk',
    account: 'ann',
    error: 'invalidPassword',
    forgotHref: '/web/password/forgot?app_id=org.example.post',
    wechatHref: '/web/login/wechat?app_id=org.example.post',
  },
  'signed-in': { ...form, applicationId: 'org.example.post', userName: 'Ann', handle: 'ann_1' },
  authorize: {
    ...form,
    applicationId: 'org.example.post',
    clientKey: 'desk',
    userName: 'Ann',
    handle: 'ann_1',
    scopes: ['articles.read', 'articles.write'],
    longerSeconds: 86_400,
    destination: 'desk.example',
    fields: [{ name: 'client_id', value: 'desk' }],
    logoutAction: '/web/logout',
    logoutCsrfToken: 'another-csrf-token',
    next: '/web/authorize?client_id=desk',
  },
  'password-forgot': {
    ...form,
    applicationId: 'org.example.post',
    next: '',
    mail: 'ann@',
    isMailInvalid: true,
    loginHref: '/web/login?app_id=org.example.post',
  },
  'password-forgot-done': {
    ...app,
    mail: 'ann@example.org',
    loginHref: '/web/login?app_id=org.example.post',
  },
  'link-invalid': { ...app, kind: 'verify' },
  error: { ...app, status: 500, requestId: 'request-1', reason: 'server' },
  'not-found': app,
};

const mailContext: MailContexts['verify-mail'] = {
  ...app,
  userName: 'Ann',
  link: 'https://id.example.org/web/mail/verify/token-value?a=1&b=2',
  validSeconds: 86_400,
};

const changeMail = { ...mailContext, newMail: 'new@example.org' };
const noticeMail: MailContexts['security-notice'] = {
  ...mailContext,
  kind: 'bindingAdded',
  method: 'google',
  at: 1_796_000_000,
};
const mailContexts: MailContexts = {
  'verify-mail': mailContext,
  'password-reset': mailContext,
  'mail-change': mailContext,
  'mail-change-requested': changeMail,
  'mail-changed': changeMail,
  'security-notice': noticeMail,
};

const renderMail = <Name extends MailName>(
  mail: Name,
  language: Language,
  change: { applicationName?: string } = {},
) => views.renderMail(mail, language, { ...mailContexts[mail], ...change });

const everyPage = pageNames.flatMap((page) => languages.map((language) => [page, language] as const));
const everyMail = mailNames.flatMap((mail) => languages.map((language) => [mail, language] as const));

const renderSample = <Name extends PageName>(page: Name, language: Language) =>
  views.renderPage(page, language, pageContexts[page]);

function renderPasswordReset(error?: PageContexts['password-reset']['error']): string {
  return views.renderPage('password-reset', 'en', { ...pageContexts['password-reset'], error });
}

function inputNamed(name: string, html: string): string {
  return (
    [...html.matchAll(/<input[^>]*>/g)].map(([tag]) => tag).find((tag) => tag.includes(`name="${name}"`)) ??
    ''
  );
}

describe('the catalogues', () => {
  const catalogues = loadCatalogues(join(viewsDirectory, 'locales'));
  const shape = (language: Language) =>
    Object.entries(catalogues[language])
      .map(([key, text]) => `${key} ${placeholdersOf(text).join()}`)
      .sort();

  it.each(['zh', 'ja'] as const)('have the keys and placeholders of English in %s', (language) => {
    expect(shape(language)).toEqual(shape('en'));
  });

  it('hold no text that nothing uses', () => {
    const folders = ['layouts', 'mail', 'pages', 'partials'].map((folder) => join(viewsDirectory, folder));
    const templates = folders
      .flatMap((folder) => readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8')))
      .join('\n');
    const used = new Set<string>([
      ...[...templates.matchAll(/\bt "([^"]+)"/g)].map(([, key]) => key ?? ''),
      ...Object.entries(variants).flatMap(([prefix, list]) => list.map((variant) => `${prefix}.${variant}`)),
      ...mailNames.map((mail) => `mail.${mail}.subject`),
    ]);
    expect(Object.keys(catalogues.en).filter((key) => !used.has(key))).toEqual([]);
  });

  it.each(languages)('have no markup in the texts of mails in %s', (language) => {
    const texts = Object.entries(catalogues[language]).filter(([key]) => key.startsWith('mail.'));
    expect(texts.filter(([, text]) => /[<>&]/.test(text))).toEqual([]);
  });
});

it('the style sheet of Pico is the one that the package of that name has', () => {
  const published = createRequire(import.meta.url).resolve('@picocss/pico/css/pico.min.css');
  expect(readFileSync(join(viewsDirectory, 'assets/pico.min.css'))).toEqual(readFileSync(published));
});

describe('every page', () => {
  it.each(everyPage)('%s in %s is a whole document without unresolved placeholders', (page, language) => {
    const html = renderSample(page, language);
    expect(html).toMatch(/^<!doctype html>\n<html lang="(en|zh-Hans|ja)">/);
    expect(html.trimEnd()).toMatch(/<\/html>$/);
    expect(html).not.toMatch(/[{}]|undefined|\[object|null/);
    expect(html).toContain('Morning Post');
    expect(html.match(/<h1>/g)).toHaveLength(1);
    expect(html.match(/<main/g)).toHaveLength(1);
    expect(html).toContain('name="viewport"');
  });

  it.each(everyPage)('%s in %s loads nothing that the content security policy refuses', (page, language) => {
    const html = renderSample(page, language);
    expect(html).not.toMatch(/<script|<style|\sstyle=|\son\w+=|javascript:|<iframe|<base/i);
    expect(html).not.toMatch(/(src|href|action)="(https?:)?\/\//i);
    expect([...html.matchAll(/<link[^>]*href="([^"]*)"/g)].map(([, href]) => href)).toEqual([
      '/web/assets/icon.svg',
      '/web/assets/pico.min.css',
      '/web/assets/pluto.css',
    ]);
  });

  it.each(everyPage)(
    '%s in %s gives every visible input a label and every described input its text',
    (page, language) => {
      const html = renderSample(page, language);
      const visible = [...html.matchAll(/<input[^>]*>/g)]
        .map(([tag]) => tag)
        .filter((tag) => !tag.includes('hidden'));
      for (const input of visible) expect(html).toContain(`<label for="${/id="([^"]+)"/.exec(input)?.[1]}">`);
      for (const [, ids] of html.matchAll(/aria-describedby="([^"]+)"/g))
        for (const id of (ids ?? '').split(' ')) expect(html).toContain(`id="${id}"`);
    },
  );

  it('escapes names in text and values in attributes', () => {
    const html = views.renderPage('verify-mail', 'en', {
      applicationName: '<b>App</b>',
      mail: '"><img src=x>@example.org',
      userName: '<script>alert(1)</script> {mail}',
      handle: '&amp;',
      action: '/web/"onclick="x',
      csrfToken: '"><script>',
    });
    expect(html).not.toMatch(/<script|<img|<b>|onclick="/);
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt; {mail}');
    expect(html).toContain('@&amp;amp;');
    expect(html).toContain('value="&quot;&gt;&lt;script&gt;"');
    expect(html).toContain('action="/web/&quot;onclick&#x3D;&quot;x"');
    expect(html).toContain('<title>Confirm your email address – &lt;b&gt;App&lt;/b&gt;</title>');
  });

  it('says whose address is confirmed, and posts to its own address', () => {
    const html = renderSample('verify-mail', 'en');
    expect(html.replace(/<\/?bdi>/g, '')).toContain(
      'Confirm that ann@example.org belongs to Ann (@ann_1) at Morning Post.',
    );
    expect(html).toContain('<form method="post" action="/web/some/form">');
    expect(inputNamed('_csrf', html)).toContain('value="csrf-token-value"');
  });

  it.each(variants['error.title'])(
    'tells the reason %s, the status and the request',
    (reason: ErrorReason) => {
      for (const language of languages) {
        const html = views.renderPage('error', language, { ...app, status: 418, requestId: 'req-7', reason });
        expect(html).not.toMatch(/[{}]|undefined/);
        expect(html).toContain('418');
        expect(html).toContain('<code>req-7</code>');
      }
    },
  );

  it('gives different next steps for the two kinds of link', () => {
    const next = (kind: 'verify' | 'reset') => views.renderPage('link-invalid', 'en', { ...app, kind });
    expect(next('verify')).toContain('Go back to where you signed up');
    expect(next('reset')).toContain('change your password');
  });
});

describe('the password reset page', () => {
  it('helps password managers and sends no account name', () => {
    const html = renderPasswordReset();
    expect(inputNamed('password', html)).toMatch(/autocomplete="new-password" minlength="8" required/);
    expect(inputNamed('password_repeat', html)).toContain('autocomplete="new-password"');
    expect(html).toContain('type="text" value="ann@example.org" autocomplete="username" readonly');
    expect(html).not.toContain('name="username"');
  });

  it('shows no error at first', () => {
    expect(renderPasswordReset()).not.toMatch(/role="alert"|aria-invalid/);
  });

  it.each(['tooShort', 'tooLong'] as const)('puts %s next to the password', (error) => {
    const html = renderPasswordReset(error);
    expect(html.match(/role="alert"/g)).toHaveLength(1);
    expect(inputNamed('password', html)).toMatch(
      /aria-invalid="true" aria-describedby="password-hint password-error"/,
    );
    expect(html).toContain('<p class="field-error" id="password-error" role="alert">This password is too');
  });

  it('puts a mismatch next to the repetition', () => {
    const html = renderPasswordReset('mismatch');
    expect(html.match(/role="alert"/g)).toHaveLength(1);
    expect(inputNamed('password_repeat', html)).toMatch(
      /aria-invalid="true" aria-describedby="repeat-error"/,
    );
    expect(inputNamed('password', html)).not.toContain('aria-invalid');
  });
});

describe('every mail', () => {
  it.each(everyMail)(
    '%s in %s has a subject line, a link in both parts and its lifetime',
    (mail, language) => {
      const { subject, html, text } = renderMail(mail, language);
      expect(subject).toContain('Morning Post');
      expect(text).toContain(`\n${mailContext.link}\n`);
      expect(html).toContain(
        'href="https://id.example.org/web/mail/verify/token-value?a&#x3D;1&amp;b&#x3D;2"',
      );
      expect(html).toContain('>https://id.example.org/web/mail/verify/token-value?a&#x3D;1&amp;b&#x3D;2</p>');
      for (const part of [html, text]) expect(part).toContain(formatDuration(86_400, language));
      for (const part of [subject, html.replace(/<style>.*<\/style>/s, ''), text])
        expect(part).not.toMatch(/[{}]|undefined|\[object|null/);
    },
  );

  it.each(everyMail)('%s in %s loads nothing from elsewhere', (mail, language) => {
    const { html } = renderMail(mail, language);
    expect(html).not.toMatch(/<script|<img|<link|url\(|@import/i);
    expect(html.match(/href=/g)).toHaveLength(1);
  });

  it.each(everyMail)('%s in %s keeps the subject on one line', (mail, language) => {
    const applicationName = 'News\r\nBcc: everyone@example.org\u2028!';
    const { subject } = renderMail(mail, language, { applicationName });
    expect(subject).not.toMatch(/[\p{Cc}\u2028]/u);
    expect(subject).toContain('News Bcc: everyone@example.org !');
  });

  it('escapes in HTML and in HTML only', () => {
    const context = { ...mailContext, applicationName: 'Tom & "Jerry"', userName: "<script>O'Hara" };
    const { subject, html, text } = views.renderMail('verify-mail', 'en', context);
    expect(subject).toBe('Confirm your email address for Tom & "Jerry"');
    expect(text).toContain("Hello <script>O'Hara,");
    expect(text).toContain('Tom & "Jerry"');
    expect(html).toContain('Hello &lt;script&gt;O&#x27;Hara,');
    expect(html).toContain('Tom &amp; &quot;Jerry&quot;');
  });

  it.each(languages)('greets without the name in %s when the name could become a link', (language) => {
    const { html, text } = views.renderMail('verify-mail', language, {
      ...mailContext,
      userName: 'Win at evil.com',
    });
    expect(html + text).not.toMatch(/evil|Win at/);
  });

  it('reads well as plain text', () => {
    expect(views.renderMail('password-reset', 'en', { ...mailContext, validSeconds: 3600 }).text).toBe(
      [
        'Hello Ann,',
        '',
        'Someone asked to reset the password of your account at Morning Post. If it was you, follow the link to choose a new one.',
        '',
        mailContext.link,
        '',
        'The link is valid for 1 hour and can be used once.',
        '',
        'If it was not you, ignore this email. Your password will not change.',
        '',
        '--',
        'This is an automatic message from Morning Post.',
        '',
      ].join('\n'),
    );
  });
});

describe('a security notice', () => {
  it.each(noticeKinds.flatMap((kind) => languages.map((language) => [kind, language] as const)))(
    'of %s in %s tells when and about which way to sign in, and has no lifetime',
    (kind, language) => {
      const context = { ...noticeMail, kind, validSeconds: 0 };
      const { subject, html, text } = views.renderMail('security-notice', language, context);
      expect(subject).toContain('Morning Post');
      for (const part of [html, text]) {
        expect(part).toContain('(UTC)');
        expect(part).toContain('Google');
        expect(part).not.toMatch(/undefined|Invalid Date/);
        expect(part).not.toContain(formatDuration(0, language));
      }
    },
  );

  it('reads well as plain text', () => {
    const context = { ...noticeMail, validSeconds: 0 };
    expect(views.renderMail('security-notice', 'en', context).text).toBe(
      [
        'Hello Ann,',
        '',
        'A new way to sign in was added to your account at Morning Post.',
        'Way to sign in: Google',
        'Time: November 30, 2026 at 12:53 AM (UTC)',
        '',
        'If it was not you, choose a new password now. On the way you can remove what you did not add yourself.',
        '',
        mailContext.link,
        '',
        'If it was you, you do not need to do anything.',
        '',
        '--',
        'This is an automatic message from Morning Post.',
        '',
      ].join('\n'),
    );
  });
});

describe('greetableName', () => {
  it.each([
    'Ann',
    '山田 太郎',
    'J. R. R. Tolkien',
    'J.R.R. Tolkien',
    'Dr. Ann O’Hara-Smith',
    'Agent 007',
    '👩‍👩‍👧 Ann',
  ])('keeps %s', (name) => {
    expect(greetableName(name)).toBe(name);
  });

  it.each([
    'https://evil.example/login',
    'hxxp://evil',
    'Click www evil',
    'evil.com',
    'EVIL．COM',
    'evil。com',
    'e\u200bvil.\u200bcom',
    'münchen.рф',
    'xn--abc.xn--p1ai',
    'help@evil',
    'Call +1 (800) 555-0199',
    '电话１３８１２３４５６７８',
    '',
    ' \n ',
  ])('refuses %j', (name) => {
    expect(greetableName(name)).toBeNull();
  });

  it('keeps a name on one line, in one direction and at 60 characters', () => {
    expect(greetableName('Ann\r\n\r\nYour account is locked')).toBe('Ann Your account is locked');
    expect(greetableName('Ann \u202egnirts\u202c')).toBe('Ann gnirts');
    expect([...(greetableName('字'.repeat(200)) ?? '')]).toHaveLength(60);
  });
});

describe('formatDuration', () => {
  it.each([
    [45, 'en', '45 seconds'],
    [600, 'ja', '10 分'],
    [3600, 'en', '1 hour'],
    [5400, 'en', '90 minutes'],
    [9000, 'en', '2 hours'],
    [86_400, 'zh', '24小时'],
    [604_800, 'en', '7 days'],
  ] as const)('tells %d seconds in %s as %s', (seconds, language, words) => {
    expect(formatDuration(seconds, language)).toBe(words);
  });
});
