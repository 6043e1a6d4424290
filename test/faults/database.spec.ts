import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { builtServer } from '../support/built.js';
import type { Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { ServerProcess } from '../support/server-process.js';
import { Mariadb } from './support/mariadb.js';
import { SteadyLoad, type Sample } from './support/steady-load.js';

const ADMIN = { account: 'admin@pluto.test', password: 'admin password' };
const POOL = 8;
/** Maximum time of a response while the database is unreachable. */
const PATIENCE_MS = 3000;
const RETURN_MS = 5000;
const OUTLIVE_IT = ['verifyGet', 'verifyPost', 'publicKey', 'keySet', 'live'];

let mariadb: Mariadb;
let folder: string;
let server: ServerProcess;
let client: Client;
let load: SteadyLoad;

beforeAll(() => builtServer(), 180_000);

beforeEach(async () => {
  mariadb = await Mariadb.start();
  await mariadb.query('CREATE DATABASE pluto CHARACTER SET utf8mb4 COLLATE utf8mb4_bin');
  folder = mkdtempSync(join(tmpdir(), 'pluto-outage-'));
  server = await ServerProcess.start(folder, {
    PORT: '0',
    DATABASE_URL: mariadb.urlOf('pluto', `?pool=${POOL}`),
    SECRET_KEY: 'a secret key for the outages of the tests',
    RATE_LIMIT: 'false',
    ADMIN_MAIL: ADMIN.account,
    ADMIN_PASSWORD: ADMIN.password,
    LOG_FORMAT: 'json',
  });
  client = await server.ready();
  load = new SteadyLoad(client, ADMIN);
});

afterEach(async () => {
  await load.end();
  await ServerProcess.killAll();
  await mariadb.remove();
  rmSync(folder, { recursive: true });
});

const milliseconds = (values: number[]) => Math.round(Math.max(0, ...values));
const tellings = (samples: Sample[]) => [
  ...new Set(samples.map(({ flow, status, code }) => `${flow}: ${status} ${code}`)),
];
const isRefusal = ({ status }: Sample) => status === 503;

interface Outage {
  name: string;
  /** @returns when the database is reachable again, by performance.now() */
  happen: () => Promise<number>;
}

/** Lets an outage happen under load and holds the answers against what clients are promised. */
async function expectToOutlive({ name, happen }: Outage): Promise<void> {
  await load.begin();
  await sleep(3000);
  const before = load.samples.length;
  expect(tellings(load.samples).filter((line) => !line.endsWith(': 200 0'))).toEqual([]);
  const begun = performance.now();
  const back = await happen();
  await sleep(RETURN_MS + 3000);
  await load.end();

  const refused = load.samples.filter(isRefusal);
  const during = load.samples.slice(before);
  const first = milliseconds([Math.min(...refused.map(({ ended }) => ended)) - begun]);
  const last = milliseconds(refused.map(({ ended }) => ended - back));
  const slowest = milliseconds(during.map((sample) => sample.ended - sample.begun));
  const slowestKept = milliseconds(load.of(...OUTLIVE_IT).map((sample) => sample.ended - sample.begun));
  console.log(
    `${name}: away ${Math.round(back - begun)} ms, first 503 after ${first} ms, slowest answer ${slowest} ms ` +
      `(verification and keys ${slowestKept} ms), last 503 ${last} ms after the return; ` +
      `${during.length} answers, ${refused.length} of them 503`,
  );

  const told = tellings(load.samples);
  const kept = new Set(OUTLIVE_IT.map((flow) => `${flow}: 200 0`));
  expect(told.filter((line) => !/: (200 0|503 1010|429 1006)$/.test(line))).toEqual([]);
  expect(new Set(told.filter((line) => OUTLIVE_IT.includes(line.split(':')[0]!)))).toEqual(kept);
  for (const flow of ['login', 'register', 'info', 'rename', 'search', 'refresh 0', 'healthcheck', 'ready'])
    expect([flow, load.of(flow).some(isRefusal)]).toEqual([flow, true]);
  expect(first).toBeLessThanOrEqual(PATIENCE_MS);
  expect(slowest).toBeLessThanOrEqual(PATIENCE_MS);
  expect(last).toBeLessThanOrEqual(RETURN_MS);

  const refreshed = await load.refreshAll();
  expect(refreshed.map(({ status }) => status)).toEqual(refreshed.map(() => 200));
  expect((await client.get('/health/ready')).status).toBe(200);
  await expectCleanPool();
  expect(server.stderr).toBe('');
  for (const secret of [new URL(mariadb.urlOf('')).password, ADMIN.password])
    expect(server.output).not.toContain(secret);
}

/** What a pool that has leaked nothing looks like from the server's side. */
async function expectCleanPool(): Promise<void> {
  const connections = () =>
    mariadb.query<{ command: string; time: number; transactions: number }>(
      'SELECT command, time, (SELECT COUNT(*) FROM information_schema.innodb_trx) AS transactions ' +
        "FROM information_schema.processlist WHERE db = 'pluto'",
    );
  const idle = await eventually(async () => {
    const rows = await connections();
    const isClean = rows.every(({ command, transactions }) => command === 'Sleep' && transactions === 0);
    return isClean && rows.length <= POOL ? rows : null;
  }, 'a pool without hanging connections');
  expect(idle.length).toBeLessThanOrEqual(POOL);
  // All connections are available, and no further ones are opened.
  const answers = await Promise.all(Array.from({ length: 4 * POOL }, () => client.get('/v1/healthcheck')));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  expect((await connections()).length).toBeLessThanOrEqual(POOL);
}

describe('with the database unreachable for longer than keys are cached', () => {
  it('verifies tokens with known keys, refuses logins, and ends no session', async () => {
    const logIn = () => client.post('/v1/user/login/account', { ...ADMIN, app_id: 'pluto' });
    const verify = (token: string) => client.post('/v1/token/access/verify', { token });
    const [kept, ended] = [(await logIn()).body, (await logIn()).body];
    const session = (await verify(ended.access_token as string)).body.sid as string;
    await mariadb.query(`DELETE FROM pluto.sessions WHERE id = '${session}'`);
    expect((await verify(ended.access_token as string)).code).toBe(3009);
    await mariadb.stop();
    // The keys are read again every thirty seconds.
    await sleep(33_000);

    for (const look of [1, 2, 3]) {
      const begun = performance.now();
      expect([look, (await verify(kept.access_token as string)).status]).toEqual([look, 200]);
      expect([look, (await client.get('/v1/token/publickey')).status]).toEqual([look, 200]);
      expect([look, (await client.get('/.well-known/jwks.json')).status]).toEqual([look, 200]);
      expect(performance.now() - begun).toBeLessThan(3000);
    }
    expect((await verify(ended.access_token as string)).code).toBe(3009);
    // Its key may be one that came to be in the meantime.
    const header = Buffer.from('{"alg":"RS256","kid":"unheard-of"}').toString('base64url');
    expect(await verify(`${header}.e30.c2ln`)).toMatchObject({ status: 503, code: 1010 });
    for (const { access_token: token } of [kept, ended])
      expect(await client.get('/v1/user/info', { token })).toMatchObject({ status: 503, code: 1010 });
    const refresh = { refresh_token: kept.refresh_token as string, app_id: 'pluto' };
    expect(await client.post('/v1/token/refresh', refresh)).toMatchObject({ status: 503, code: 1010 });
    expect(server.stdout.match(/"msg":"the database does not answer"/g)).toHaveLength(1);

    await mariadb.restart();
    await eventually(async () => (await client.get('/health/ready')).status === 200, 'the return', 5000);
    expect((await client.post('/v1/token/refresh', refresh)).status).toBe(200);
    expect((await verify(ended.access_token as string)).code).toBe(3009);
  });

  it('stops immediately at SIGTERM although the database hangs', async () => {
    mariadb.freeze();
    await sleep(100);
    void client.get('/v1/healthcheck').catch(() => undefined);
    expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(server.output).not.toContain('shutdown timed out');
  });
});

describe('with the database unreachable', () => {
  it('survives one that is stopped and started again', () =>
    expectToOutlive({
      name: 'stopped',
      happen: async () => {
        await mariadb.stop();
        await sleep(5000);
        await mariadb.restart();
        return performance.now();
      },
    }));

  it('survives one that is killed and started again', () =>
    expectToOutlive({
      name: 'killed',
      happen: async () => {
        await mariadb.kill();
        await mariadb.restart();
        return performance.now();
      },
    }));

  it('survives one that hangs for twenty seconds', () =>
    expectToOutlive({
      name: 'frozen',
      happen: async () => {
        mariadb.freeze();
        await sleep(20_000);
        mariadb.thaw();
        return performance.now();
      },
    }));
});
