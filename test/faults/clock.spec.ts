import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { registration, type Tokens } from '../support/accounts.js';
import { builtServer } from '../support/built.js';
import type { Client } from '../support/client.js';
import { linkIn } from '../support/mailbox.js';
import { freePort, ServerProcess } from '../support/server-process.js';
import { SmtpServer } from '../support/smtp.js';
import { decodeToken } from '../support/tokens.js';
import { PASSWORD, SERVER_ENV, ShiftedClock } from './support/server.js';

const HOUR = 3600;
const DAY = 24 * HOUR;
const MONTH = 31 * DAY;

let folder: string;
let clock: ShiftedClock;
let smtp: SmtpServer | undefined;
beforeAll(() => builtServer(), 180_000);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pluto-clock-'));
  clock = new ShiftedClock(folder);
});
afterEach(async () => {
  await ServerProcess.killAll();
  await smtp?.close();
  smtp = undefined;
  rmSync(folder, { recursive: true });
});

function start(env: Record<string, string>): Promise<ServerProcess> {
  return ServerProcess.start(folder, { ...SERVER_ENV, ...clock.env, ...env });
}

async function login(client: Client): Promise<Tokens> {
  const body = { account: 'admin@localhost', password: PASSWORD, app_id: 'pluto' };
  const answer = await client.post('/v1/user/login/account', body);
  expect(answer.status).toBe(200);
  return answer.body as Tokens;
}

const refresh = (client: Client, { refresh_token }: Tokens) =>
  client.post('/v1/token/refresh', { refresh_token, app_id: 'pluto' });
const info = (client: Client, { access_token }: Tokens) =>
  client.get('/v1/user/info', { token: access_token });

async function publishedKeys(client: Client): Promise<number> {
  const { json } = await client.get('/.well-known/jwks.json');
  return (json as { keys: unknown[] }).keys.length;
}

async function expectCleanEnd(server: ServerProcess): Promise<void> {
  expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(server.output).not.toMatch(/"level":"(?:error|fatal)"/);
}

describe('A clock that jumps', () => {
  it('a day and a month ahead, and back by an hour, ends what has expired and nothing else', async () => {
    smtp = await SmtpServer.start();
    const server = await start({ SMTP_URL: smtp.url, UPKEEP_INTERVAL: '1' });
    const client = await server.ready();
    const account = registration();
    expect((await client.post('/v1/user/register', account)).status).toBe(200);
    const link = linkIn(await smtp.waitFor(account.mail));
    const first = await login(client);
    expect((await info(client, first)).status).toBe(200);

    await clock.set(DAY + 1);
    expect((await info(client, first)).code).toBe(3008);
    expect((await client.page(link)).status).not.toBe(200);
    const refreshed = await refresh(client, first);
    expect(refreshed.status).toBe(200);
    const second = refreshed.body as Tokens;
    expect(decodeToken(second.access_token).claims.exp).toBeGreaterThan(Date.now() / 1000 + DAY);
    expect((await info(client, second)).status).toBe(200);

    await clock.set(MONTH);
    expect((await info(client, second)).status).toBe(403);
    expect([3002, 3011]).toContain((await refresh(client, second)).code);
    const third = await login(client);
    await sleep(2500);

    await clock.set(MONTH - HOUR);
    expect((await info(client, third)).status).toBe(200);
    expect((await refresh(client, third)).status).toBe(200);
    expect(await publishedKeys(client)).toBe(1);
    const fourth = await login(client);
    expect((await info(client, fourth)).status).toBe(200);

    await clock.set(0);
    expect((await info(client, await login(client))).status).toBe(200);
    expect(await publishedKeys(client)).toBe(1);
    await sleep(2500);
    expect((await info(client, fourth)).status).toBe(200);
    expect((await client.get('/health/ready')).status).toBe(200);
    await expectCleanEnd(server);
  });

  it('back does not keep a mail, neither a new one nor one that was put off', async () => {
    const port = Number(await freePort());
    await clock.set(MONTH);
    const server = await start({ SMTP_URL: `smtp://127.0.0.1:${port}` });
    const client = await server.ready();
    const putOff = registration();
    await client.post('/v1/user/register', putOff);
    await sleep(1000);
    expect(server.output).toContain('mail not sent');

    await clock.set(0);
    smtp = await SmtpServer.start({ port });
    expect((await smtp.waitFor(putOff.mail)).recipients).toEqual([putOff.mail]);

    await clock.set(HOUR);
    const fresh = registration();
    const registering = client.post('/v1/user/register', fresh);
    await clock.set(0);
    expect((await registering).status).toBe(200);
    await smtp.waitFor(fresh.mail);
    await sleep(2500);
    for (const { mail } of [putOff, fresh]) expect(smtp.to(mail)).toHaveLength(1);
    await expectCleanEnd(server);
  });

  it('does not change how often the database is asked for work', async () => {
    const server = await start({ LOG_LEVEL: 'warn' });
    await server.ready();
    const cpuOf = async (milliseconds: number) => {
      const before = cpuSeconds(server.pid);
      await sleep(milliseconds);
      return cpuSeconds(server.pid) - before;
    };
    for (const seconds of [DAY, MONTH, MONTH - HOUR, -MONTH, 0]) {
      await clock.set(seconds);
      // A loop without pauses would use all of it.
      expect(await cpuOf(3000)).toBeLessThan(1);
    }
    await expectCleanEnd(server);
  });
});

describe('A start with a clock that was set back since the last', () => {
  it('keeps using its key and sessions, and cleans up', async () => {
    await clock.set(DAY);
    const first = await start({});
    const tokens = await login(await first.ready());
    await first.kill('SIGKILL');
    await clock.set(0);
    const second = await start({ UPKEEP_INTERVAL: '1' });
    const client = await second.ready();
    expect((await info(client, tokens)).status).toBe(200);
    expect((await refresh(client, tokens)).status).toBe(200);
    expect(await publishedKeys(client)).toBe(1);
    await sleep(2500);
    await expectCleanEnd(second);
  });
});

/** CPU time of the process. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return ticks / 100;
}
