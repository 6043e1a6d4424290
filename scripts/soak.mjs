// Puts a steady mixed load on the built server, with lifetimes so short that everything expires during the
// run, and fails on failed requests and on memory or tables that keep growing.
//   npm run soak -- --minutes 20        on SQLite, or on the empty database of DATABASE_URL
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import Libsql from 'libsql';
import mysql from 'mysql2/promise';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '20' }, users: { type: 'string', default: '8' } },
});
const durationMs = Number(values.minutes) * 60_000;
const lanes = Number(values.users);
const REPORT_MS = Math.min(60_000, durationMs / 4);
/** Average pause between the actions of a user. */
const THINK_MS = 150;
/** A table that grows by more than this has a leak. */
const GROWTH_FACTOR = 1.5;
const GROWTH_SLACK_ROWS = 200;
const GROWTH_SLACK_MB = 40;
const TABLES = [
  'users',
  'identities',
  'one_time_tokens',
  'sessions',
  'refresh_tokens',
  'mails',
  'page_sessions',
  'authorization_codes',
  'spent_states',
  'known_devices',
  'user_roles',
  'provider_subjects',
  'apple_grants',
  'oauth_clients',
  'signing_keys',
  'leases',
];
/** Kept for AUDIT_RETENTION_DAYS, at least a day: reported, but expected to grow during a soak. */
const KEPT_FOR_DAYS = ['audit_events'];

const ADMIN = { mail: 'admin@example.com', password: 'password of the administrator' };

const folder = mkdtempSync(join(tmpdir(), 'pluto-soak-'));
const dataDir = join(folder, 'data');
const databaseUrl = process.env.DATABASE_URL;
const env = {
  PATH: process.env.PATH,
  PORT: '0',
  DATA_DIR: dataDir,
  SECRET_KEY: randomBytes(32).toString('hex'),
  ADMIN_MAIL: ADMIN.mail,
  ADMIN_PASSWORD: ADMIN.password,
  RATE_LIMIT: 'false',
  LOG_LEVEL: 'warn',
  LOG_FORMAT: 'json',
  ACCESS_TOKEN_TTL: '10',
  REFRESH_TOKEN_TTL: '30',
  REFRESH_TOKEN_GRACE: '5',
  VERIFY_TOKEN_TTL: '30',
  RESET_TOKEN_TTL: '30',
  PAGE_SESSION_TTL: '60',
  UPKEEP_INTERVAL: '5',
  ...(databaseUrl && { DATABASE_URL: databaseUrl }),
};

let requests = 0;
const failures = [];
let isOver = false;

/** The flags of `npm start`. */
const { scripts } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'));
const flags = scripts.start.split(' ').filter((word) => word.startsWith('--'));
const server = spawn(process.execPath, [...flags, join(import.meta.dirname, '../dist/pluto.js')], {
  cwd: folder,
  env,
});
let output = '';
server.stdout.on('data', (text) => (output += text));
server.stderr.on('data', (text) => (output += text));
const exited = new Promise((resolve) => server.once('exit', (code) => resolve(code)));

async function call(method, path, { body, token, form, cookie, accept = [200] } = {}) {
  requests++;
  try {
    const response = await fetch(url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(form && { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html' }),
        ...(token && { authorization: `Bearer ${token}` }),
        ...(cookie && { cookie }),
      },
      body: body ? JSON.stringify(body) : form?.toString(),
    });
    const text = await response.text();
    if (!accept.includes(response.status)) throw new Error(`${response.status} ${text.slice(0, 200)}`);
    return {
      text,
      headers: response.headers,
      body: text.startsWith('{') ? JSON.parse(text).body : undefined,
    };
  } catch (error) {
    failures.push(`${method} ${path.replace(/[\w-]{43}/, ':token')}: ${error.message}`);
    throw error;
  }
}

/** The link in the newest mail of a kind to the address, from the outbox files. */
async function linkTo(mail, kind) {
  const deadline = Date.now() + 20_000;
  while (Date.now() < deadline) {
    const files = readdirSync(join(dataDir, 'outbox')).filter((file) => file.endsWith('.eml'));
    for (const file of files.reverse().slice(0, 60)) {
      const text = readMail(join(dataDir, 'outbox', file));
      const link = text.includes(mail) && new RegExp(`/web/${kind}/[\\w-]{43}`).exec(text)?.[0];
      if (link) return link;
    }
    await sleep(50);
  }
  failures.push(`no mail of ${kind} came`);
  throw new Error('no mail');
}

function readMail(path) {
  try {
    return readFileSync(path, 'utf8').replace(/=\r?\n/g, '');
  } catch {
    return '';
  }
}

async function submit(path, fields = {}) {
  const page = await call('GET', path);
  const hidden = [...page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
  const form = new URLSearchParams({
    ...Object.fromEntries(hidden.map(([, name, value]) => [name, value])),
    ...fields,
  });
  const cookie = page.headers
    .getSetCookie()
    .map((one) => one.split(';', 1)[0])
    .join('; ');
  await call('POST', path, { form, cookie });
}

/** The life of an account, from its registration to its deletion. */
async function live(number) {
  const handle = `soak${number}`;
  const mail = `${handle}@example.com`;
  let password = `first password of ${handle}`;
  const pause = () => sleep(THINK_MS * (0.5 + Math.random()));
  const login = async () =>
    (await call('POST', '/v1/user/login/account', { body: { account: mail, password, app_id: 'pluto' } }))
      .body;
  await call('POST', '/v1/user/register', {
    body: { mail, user_id: handle, name: handle, password, app_id: 'pluto' },
  });
  await submit(await linkTo(mail, 'mail/verify'));
  let tokens = await login();
  for (let round = 0; round < 8 && !isOver; round++) {
    await pause();
    await call('GET', '/v1/user/info', { token: tokens.access_token });
    const body = { refresh_token: tokens.refresh_token, app_id: 'pluto' };
    tokens = (await call('POST', '/v1/token/refresh', { body })).body;
  }
  await call('POST', '/v1/user/password/reset/mail', { body: { mail, app_id: 'pluto' } });
  password = `second password of ${handle}`;
  await submit(await linkTo(mail, 'password/reset'), { password });
  await call('POST', '/v1/user/login/account', {
    body: { account: mail, password: 'wrong password', app_id: 'pluto' },
    accept: [403],
  });
  // Abandoned sessions and links, which housekeeping must remove.
  const stays = { account: ADMIN.mail, password: ADMIN.password, app_id: 'pluto' };
  await call('POST', '/v1/user/login/account', { body: stays });
  await call('POST', '/v1/user/password/reset/mail', { body: { mail: ADMIN.mail, app_id: 'pluto' } });
  tokens = await login();
  await call('POST', '/v1/user/delete', { token: tokens.access_token });
}

async function useIt(lane) {
  for (let round = 0; !isOver; round++) {
    await live(round * lanes + lane).catch(() => sleep(1000));
  }
}

async function countRows() {
  const query = (table) => `SELECT COUNT(*) AS n FROM ${table}`;
  const counts = {};
  if (databaseUrl?.startsWith('mysql') || databaseUrl?.startsWith('mariadb')) {
    const connection = await mysql.createConnection(databaseUrl.replace(/^mariadb/, 'mysql'));
    for (const table of [...TABLES, ...KEPT_FOR_DAYS])
      counts[table] = (await connection.query(query(table)))[0][0].n;
    await connection.end();
  } else {
    const connection = new Libsql(join(dataDir, 'pluto.db'), { readonly: true });
    for (const table of [...TABLES, ...KEPT_FOR_DAYS])
      counts[table] = connection.prepare(query(table)).get().n;
    connection.close();
  }
  return counts;
}

function residentMegabytes() {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024);
}

async function report() {
  const look = {
    minutes: (performance.now() - began) / 60_000,
    megabytes: residentMegabytes(),
    rows: await countRows(),
  };
  const rows = Object.entries(look.rows).map(([table, n]) => `${table} ${n}`);
  console.log(
    `${look.minutes.toFixed(1)} min: ${requests} requests, ${failures.length} failures, ${look.megabytes} MB; ${rows.join(', ')}`,
  );
  return look;
}

/** Compares the last look with that half-way, when what was made first has expired. */
function verdict(looks) {
  const early = looks[Math.floor(looks.length / 2)];
  const late = looks.at(-1);
  const faults = [...new Set(failures)].slice(0, 20);
  for (const table of TABLES) {
    const bound = early.rows[table] * GROWTH_FACTOR + GROWTH_SLACK_ROWS;
    if (late.rows[table] > bound)
      faults.push(`${table} grew from ${early.rows[table]} to ${late.rows[table]} rows`);
  }
  if (late.megabytes > early.megabytes * GROWTH_FACTOR + GROWTH_SLACK_MB)
    faults.push(`the memory grew from ${early.megabytes} to ${late.megabytes} MB`);
  for (const line of output
    .split('\n')
    .filter((text) => /"level":"(error|fatal)"/.test(text))
    .slice(0, 5))
    faults.push(line);
  console.log(
    `memory: ${looks[0].megabytes} MB at the start, ${early.megabytes} MB, ${late.megabytes} MB at the end`,
  );
  return faults;
}

let url = '';
for (const deadline = Date.now() + 60_000; url === ''; await sleep(50)) {
  url = /^ {2}Listening +(.+)$/m.exec(output)?.[1] ?? '';
  if (url === '' && (Date.now() > deadline || server.exitCode !== null)) {
    console.error(`the server did not start:\n${output}`);
    server.kill('SIGKILL');
    process.exit(1);
  }
}
const began = performance.now();
const looks = [await report()];
const users = Array.from({ length: lanes }, (_, lane) => useIt(lane));
while (performance.now() - began < durationMs && server.exitCode === null) {
  await sleep(Math.min(REPORT_MS, Math.max(0, durationMs - (performance.now() - began))));
  if (server.exitCode === null) looks.push(await report());
}
isOver = true;
await Promise.all(users);
server.kill('SIGTERM');
const code = await exited;
const faults = verdict(looks);
if (code !== 0) faults.push(`the server ended with ${code}`);
for (const fault of faults) console.error(`! ${fault}`);
console.log(faults.length === 0 ? 'well: nothing failed, nothing grew' : 'not well');
rmSync(folder, { recursive: true, force: true });
process.exit(faults.length === 0 ? 0 : 1);
