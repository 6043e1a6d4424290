import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { expectFailure } from '../support/expectations.js';
import { freePort, ServerProcess } from '../support/server-process.js';
import { RedisServer } from './support/redis-server.js';

const TRIES = 6;
const SECRET_KEY = 'a secret key for the instances of the tests';

let redis: RedisServer;
let folder: string;
let servers: ServerProcess[];
let clients: Client[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pluto-redis-spec-'));
  redis = await RedisServer.start();
  servers = await Promise.all([start(), start()]);
  clients = await Promise.all(servers.map((server) => server.ready()));
});
afterAll(async () => {
  await ServerProcess.killAll();
  await redis.close();
  rmSync(folder, { recursive: true });
});

let folders = 0;
/** An embedded database for each server: Redis, and the key under which limits are hashed, are what they share. */
const ownData = () => join(folder, `data-${++folders}`);

async function start(): Promise<ServerProcess> {
  return ServerProcess.start(folder, {
    PORT: await freePort(),
    DATA_DIR: ownData(),
    SECRET_KEY,
    REDIS_URL: redis.url,
    RATE_LIMITS: `mail-recipient=${TRIES}/60, mail-address=100000/60`,
    ADMIN_PASSWORD: 'the password of the administrator',
  });
}

let mails = 0;
/** Asks for reset mails to one address at the two servers in turn. @returns the codes of the answers */
async function askInTurn(count: number, mail = `reader${++mails}@example.com`): Promise<number[]> {
  const codes: number[] = [];
  for (let done = 0; done < count; done++) codes.push(await ask(clients[done % 2]!, mail));
  return codes;
}

async function ask(client: Client, mail: string): Promise<number> {
  return (await client.post('/v1/user/password/reset/mail', { mail, app_id: 'pluto' })).code;
}

const allowed = (count: number) => Array<number>(count).fill(0);
const countOf = (server: ServerProcess, text: string) => server.output.split(text).length - 1;
const eachTold = (text: string, times: number) =>
  eventually(() => servers.every((server) => countOf(server, text) >= times), `"${text}"`);

describe('limits with Redis', () => {
  it('are shared by the instances, under hashed keys', async () => {
    expect(await askInTurn(TRIES + 2)).toEqual([...allowed(TRIES), 1006, 1006]);
    const keys = await redis.ask((connection) => connection.keys('*'));
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) expect(key).toMatch(/^pluto:limit:[a-z-]+:[\w-]{43}$/);
    expect(keys.join()).not.toContain('example.com');
    const ttls = await redis.ask((connection) => Promise.all(keys.map((key) => connection.pttl(key))));
    for (const ttl of ttls) expect(ttl).toBeGreaterThan(0);
  });

  it('count alone while Redis is unreachable, with one warning, and together again afterwards', async () => {
    await redis.kill();
    await eachTold('Redis is unreachable', 1);
    // Each instance counts alone: twice as many in total, and no request fails.
    expect(await askInTurn(2 * TRIES + 2)).toEqual([...allowed(2 * TRIES), 1006, 1006]);
    for (const server of servers) expect(countOf(server, 'Redis is unreachable')).toBe(1);

    await redis.start();
    await eachTold('Redis is reachable again', 1);
    expect(await askInTurn(TRIES + 2)).toEqual([...allowed(TRIES), 1006, 1006]);
  });

  it('do not delay requests while Redis is frozen', async () => {
    redis.freeze();
    const slowest = await slowestOf(() => askInTurn(4));
    expect(slowest).toBeLessThan(3000);
    await eachTold('Redis is unreachable', 2);
    // Known to be unreachable now: requests do not wait any more.
    expect(await slowestOf(() => askInTurn(2))).toBeLessThan(500);
    redis.thaw();
    await eachTold('Redis is reachable again', 2);
    expect(await askInTurn(TRIES + 2)).toEqual([...allowed(TRIES), 1006, 1006]);
  });

  it('do not keep a server from starting while Redis is unreachable', async () => {
    await redis.kill();
    const server = await start();
    const client = await server.ready();
    expect(server.output).toContain('Redis is unreachable');
    const mail = 'late@example.com';
    for (let done = 0; done < TRIES; done++) expect(await ask(client, mail)).toBe(0);
    expectFailure(await client.post('/v1/user/password/reset/mail', { mail, app_id: 'pluto' }), 429, 1006);
    expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    await redis.start();
  });

  it.each([
    ['a wrong password', ':hunter2-redis@'],
    ['an unknown user', 'someone:hunter2-redis@'],
    ['no password', ''],
  ])('say that Redis refuses %s, which is not logged, and count alone', async (_what, credentials) => {
    const closed = await RedisServer.start('sesame');
    const METRICS_PORT = await freePort();
    const server = await ServerProcess.start(folder, {
      PORT: await freePort(),
      METRICS_PORT,
      DATA_DIR: ownData(),
      REDIS_URL: closed.url.replace(/\/\/.*@/, `//${credentials}`),
    });
    const client = await server.ready();
    expect(countOf(server, 'Redis refuses the user or password of REDIS_URL')).toBe(1);
    expect(server.output).not.toMatch(/unreachable|hunter2|sesame/);
    expect(await ask(client, 'reader@example.com')).toBe(0);
    expect(await redisUp(METRICS_PORT)).toBe('0');
    await server.kill('SIGTERM');
    await closed.close();
  });

  it('have a metric of Redis, and none without Redis', async () => {
    const METRICS_PORT = await freePort();
    const env = { PORT: await freePort(), METRICS_PORT, DATA_DIR: ownData() };
    const shared = await ServerProcess.start(folder, { ...env, REDIS_URL: redis.url });
    await shared.ready();
    expect(await redisUp(METRICS_PORT)).toBe('1');
    await shared.kill('SIGTERM');
    const alone = await ServerProcess.start(folder, env);
    await alone.ready();
    expect(await redisUp(METRICS_PORT)).toBeUndefined();
    await alone.kill('SIGTERM');
  });

  async function redisUp(port: string): Promise<string | undefined> {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return /^pluto_redis_up (\d)$/m.exec(text)?.[1];
  }

  async function slowestOf(work: () => Promise<unknown>): Promise<number> {
    const began = performance.now();
    await work();
    return performance.now() - began;
  }
});
