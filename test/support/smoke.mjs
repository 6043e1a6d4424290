// Runs the built server on the given Node: it registers, signs in, refreshes, verifies, and stops.
//   node smoke.mjs NODE
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const START_MS = 60_000;
const [node] = process.argv.slice(2);
const server = join(import.meta.dirname, '../../dist/pluto.js');
const admin = { account: 'admin@example.com', password: 'password of the administrator', app_id: 'pluto' };
const folder = mkdtempSync(join(tmpdir(), 'pluto-smoke-'));
const env = {
  PATH: process.env.PATH,
  HOST: '127.0.0.1',
  PORT: '0',
  LOG_LEVEL: 'warn',
  LOG_FORMAT: 'json',
  ADMIN_MAIL: admin.account,
  ADMIN_PASSWORD: admin.password,
};
const child = spawn(node, [server], { cwd: folder, env });
let output = '';
for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
const exited = once(child, 'exit');
try {
  const url = await listeningAt();
  assert.equal((await fetch(`${url}/health/ready`)).status, 200);
  assert.equal((await fetch(`${url}/docs`)).status, 200);
  const account = {
    mail: 'ann@example.com',
    user_id: 'ann',
    name: 'Ann',
    password: 'correct horse',
    app_id: 'pluto',
  };
  assert.equal((await post(url, '/v1/user/register', account)).mail, account.mail);
  const { refresh_token } = await post(url, '/v1/user/login/account', admin);
  const { access_token: token } = await post(url, '/v1/token/refresh', { refresh_token, app_id: 'pluto' });
  await post(url, '/v1/token/access/verify', { token });
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
  assert.doesNotMatch(output, /"level":"(warn|error|fatal)"/);
  console.log(`the server answers on Node ${execFileSync(node, ['--version']).toString().trim()}`);
} catch (error) {
  console.error(output);
  throw error;
} finally {
  child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}

async function listeningAt() {
  for (const deadline = performance.now() + START_MS; performance.now() < deadline; await sleep(20)) {
    const url = /^ {2}Listening +(\S+)$/m.exec(output)?.[1];
    if (url) return url;
    assert.equal(child.exitCode, null, 'the server has ended');
  }
  throw new Error('the server did not start');
}

async function post(url, path, body) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  assert.equal(response.status, 200, path);
  return (await response.json()).body;
}
