import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

// Jest loads this file before it knows how the sources import each other: it can import none of them.

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Where a Chromium is installed; CHROMIUM_PATH names another place. */
export const chromiumPath: string | undefined = [process.env.CHROMIUM_PATH, ...places].find(
  (path) => path !== undefined && existsSync(path),
);

/** Whether this run may leave the pages untried; on CI it may not. */
export const mayLackChromium = process.env.CI !== 'true';

/**
 * Builds what threads and servers are started from, and says, once and in one line each, what this run cannot
 * try.
 */
export default function prepareRun(): void {
  // What it prints is part of the error if it fails.
  execFileSync(process.execPath, ['scripts/build-if-stale.mjs'], { stdio: 'pipe' });
  if (!process.env.TEST_DATABASE_URL) {
    tell('TEST_DATABASE_URL is not set: MariaDB is NOT tried, SQLite only (see test/support/mariadb.sh)');
  }
  if (chromiumPath === undefined && mayLackChromium) {
    tell('No Chromium is installed: the pages are NOT tried in a browser (apt-get install chromium)');
  }
}

function tell(line: string): void {
  process.stderr.write(`\n!!! ${line}\n`);
}
