import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const START_MS = 60_000;
const MAIL_MS = 20_000;
const main = join(import.meta.dirname, '../../dist/pluto.js');

/** Starts the built server with a database of its own. */
export async function startServer() {
  const folder = mkdtempSync(join(tmpdir(), 'pluto-clients-'));
  const { PATH } = process.env;
  const env = { PATH, HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'warn', LOG_FORMAT: 'json' };
  const child = spawn(process.execPath, [main], { cwd: folder, env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  const exited = once(child, 'exit');
  const url = await within(START_MS, () => {
    assert.equal(child.exitCode, null, output);
    return /^ {2}Listening +(\S+)$/m.exec(output)?.[1];
  });
  return {
    url,
    confirm: async (mail) => confirm(url, await linkIn(join(folder, 'data/outbox'), mail)),
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The link in the mail to an address; its path is what counts, since the port was chosen by the system. */
function linkIn(outbox, mail) {
  return within(MAIL_MS, () => {
    const texts = readdirSync(outbox, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8').replaceAll('=\r\n', ''));
    const text = texts.find((one) => one.includes(mail));
    return text && /\/web\/mail\/verify\/[\w-]+/.exec(text)?.[0];
  });
}

/** Presses the button of the page, as the owner of the mailbox does. */
async function confirm(url, path) {
  const page = await fetch(url + path, { headers: { accept: 'text/html' } });
  const cookie = page.headers
    .getSetCookie()
    .map((one) => one.split(';', 1)[0])
    .join('; ');
  const csrf = /name="_csrf" value="([^"]*)"/.exec(await page.text())?.[1] ?? '';
  const body = new URLSearchParams({ _csrf: csrf });
  const answer = await fetch(url + path, { method: 'POST', headers: { cookie, accept: 'text/html' }, body });
  assert.equal(answer.status, 200, await answer.text());
}

async function within(milliseconds, look) {
  for (const deadline = performance.now() + milliseconds; performance.now() < deadline; await sleep(50)) {
    try {
      const found = look();
      if (found) return found;
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
  }
  throw new Error('nothing came in time');
}
