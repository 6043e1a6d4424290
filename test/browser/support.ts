import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { viewsDirectory } from '../../src/common/views/views.js';

export const PHONE = { width: 390, height: 844 };
export const SMALL_PHONE = { width: 320, height: 640 };
export const DESKTOP = { width: 1280, height: 800 };

export const languages = { en: 'en-GB', zh: 'zh-CN', ja: 'ja-JP' } as const;
export type Language = keyof typeof languages;

const htmlLanguages = { en: 'en', zh: 'zh-Hans', ja: 'ja' } as const;

/** The raw catalogues, with markup and placeholders. */
export const texts = Object.fromEntries(
  Object.keys(languages).map((language) => {
    const file = join(viewsDirectory, 'locales', `${language}.json`);
    return [language, JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>];
  }),
) as Record<Language, Record<string, string>>;

/** The target of a visit. */
export interface Place {
  browser: Browser;
  /** The only origins that may get requests. */
  origins: string[];
}

/** A page and its problems: messages, blocked content, failed or disallowed requests. */
export interface Watched {
  page: Page;
  faults: string[];
}

export async function watchedPage(
  { browser, origins }: Place,
  options: BrowserContextOptions = {},
): Promise<Watched> {
  const context = await browser.newContext({ javaScriptEnabled: false, viewport: DESKTOP, ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('console', (message) => {
    if (!['error', 'warning'].includes(message.type())) return;
    // Chromium reports the status of an error page as an error.
    if (message.text().startsWith('Failed to load resource') && message.location().url === page.url()) return;
    faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`script: ${error.message}`));
  page.on('request', (request) => {
    const url = request.url();
    if (!origins.some((origin) => url.startsWith(`${origin}/`)) && !url.startsWith('data:'))
      faults.push(`elsewhere: ${url}`);
  });
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText;
    // Leaving a page before its icon has loaded aborts the icon.
    if (reason !== 'net::ERR_ABORTED') faults.push(`failed: ${request.url()} (${reason})`);
  });
  page.on('response', (response) => {
    if (!response.request().isNavigationRequest() && response.status() >= 400)
      faults.push(`${response.status()}: ${response.url()}`);
  });
  return { page, faults };
}

/** Opens pages, runs something with them, and asserts that there were no problems. */
export async function visitPages(
  place: Place,
  options: BrowserContextOptions,
  visit: (page: Page) => Promise<void>,
): Promise<void> {
  const { page, faults } = await watchedPage(place, options);
  try {
    await visit(page);
    expect(faults).toEqual([]);
  } finally {
    await page.context().close();
  }
}

export async function screenshot(page: Page, name: string): Promise<void> {
  const folder = process.env.SCREENSHOTS_DIR;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}

export const looks = [
  { device: 'phone', viewport: PHONE, colorScheme: 'light' },
  { device: 'phone', viewport: PHONE, colorScheme: 'dark' },
  { device: 'desktop', viewport: DESKTOP, colorScheme: 'dark' },
  { device: 'desktop', viewport: DESKTOP, colorScheme: 'light' },
] as const;

const LAYOUT = `({
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  brightness: Math.max(...getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)),
  lowest: Math.min(
    ...[
      ...document.querySelectorAll(
        'button, [role=button], input:not([type=hidden], [type=checkbox]), input[type=checkbox] + label',
      ),
    ].map((control) => control.offsetHeight),
  ),
})`;

/** Requirements of every page: one heading, a title, a language, and an intact layout on all devices. */
export async function expectSound(page: Page, language: Language, key: string, name?: string): Promise<void> {
  const heading = texts[language][key]!;
  expect(await page.getByRole('heading', { level: 1 }).allInnerTexts()).toEqual([heading]);
  expect(await page.getByRole('main').count()).toBe(1);
  expect(await page.title()).toContain(heading);
  expect(await page.locator('html').getAttribute('lang')).toBe(htmlLanguages[language]);
  for (const { device, viewport, colorScheme } of looks) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    const layout = await page.evaluate<{ overflow: number; brightness: number; lowest: number | null }>(
      LAYOUT,
    );
    expect(layout.overflow).toBe(0);
    if (colorScheme === 'dark') expect(layout.brightness).toBeLessThan(80);
    else expect(layout.brightness).toBeGreaterThan(200);
    // WCAG 2.2, 2.5.8 requires 24; thumbs need more. Without controls the value is Infinity, which JSON
    // lacks.
    expect(layout.lowest ?? Infinity).toBeGreaterThanOrEqual(40);
    if (name) await screenshot(page, `${name}-${language}-${device}-${colorScheme}`);
  }
}

/** Asserts that nothing overflows horizontally. */
export async function expectFits(page: Page): Promise<void> {
  const { overflow } = await page.evaluate<{ overflow: number }>(LAYOUT);
  expect(overflow).toBe(0);
}
