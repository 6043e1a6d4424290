import type { Browser } from 'playwright-core';
import { chromiumPath, mayLackChromium } from './global-setup.js';

/**
 * `describe` for what needs a browser: skipped where there is none, as global-setup.ts then says; a failure
 * on CI.
 */
export function describeInChromium(name: string, tests: () => void): void {
  const choose = chromiumPath === undefined && mayLackChromium ? describe.skip : describe;
  choose(name, tests);
}

/** Starts a headless Chromium that speaks to nobody but us. */
export async function launchChromium(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error('no Chromium is installed: apt-get install chromium');
  const { chromium } = await import('playwright-core');
  return chromium.launch({
    executablePath: chromiumPath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
