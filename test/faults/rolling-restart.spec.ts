import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { builtServer } from '../support/built.js';
import { Client } from '../support/client.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { freePort, ServerProcess } from '../support/server-process.js';
import { Load } from './support/load.js';
import { PrivateMariadb } from './support/private-mariadb.js';
import { Proxy } from './support/proxy.js';
import { repetitions } from './support/repetitions.js';

const ROUNDS = repetitions({ long: 2, short: 1 });
const PEOPLE = 20;
/** Twenty people each 200 ms: 100 requests a second. */
const PAUSE_MS = 200;

let mariadb: PrivateMariadb;
let database: TestDatabase;
let folder: string;
beforeAll(async () => {
  await builtServer();
  mariadb = await PrivateMariadb.start();
  mariadb.use(true);
  database = await createTestDatabase('');
  folder = mkdtempSync(join(tmpdir(), 'pluto-rolling-'));
}, 180_000);
afterAll(async () => {
  await ServerProcess.killAll();
  await database.drop();
  await mariadb.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(PORT: string): Promise<ServerProcess> {
  if (database.database.kind !== 'mysql') throw new Error('no MariaDB');
  const server = await ServerProcess.start(folder, {
    PORT,
    DATABASE_URL: database.database.url,
    SECRET_KEY: 'a secret key for the instances of the tests',
    SKIP_REGISTER_VERIFY_MAIL: 'true',
    RATE_LIMIT: 'false',
    STOP_DELAY: '2',
  });
  await server.ready();
  return server;
}

describe('two instances behind a proxy, restarted in turn under load', () => {
  it('fail no request', async () => {
    const ports = [await freePort(), await freePort()];
    const urls = ports.map((port) => `http://127.0.0.1:${port}`);
    const servers = await Promise.all(ports.map(start));
    const proxy = await Proxy.start(urls);
    const load = new Load(new Client(proxy.url), { people: PEOPLE, pauseMs: PAUSE_MS });
    await load.begin();
    const begun = performance.now();
    await sleep(2000);

    let restarts = 0;
    for (let round = 0; round < ROUNDS; round++) {
      for (const [index, port] of ports.entries()) {
        const answeredBefore = load.answered;
        expect(await servers[index]!.kill('SIGTERM')).toEqual({ code: 0, signal: null });
        expect(proxy.isInTurn(urls[index]!)).toBe(false);
        servers[index] = await start(port);
        await eventually(() => proxy.isInTurn(urls[index]!), 'the instance to have its turn again');
        expect(load.answered).toBeGreaterThan(answeredBefore + 20);
        restarts++;
        await sleep(1000);
      }
    }

    const seconds = (performance.now() - begun) / 1000;
    await load.end();
    process.stdout.write(
      `rolling restart: ${restarts} restarts, ${load.answered} answered (${Math.round(load.answered / seconds)}/s), ` +
        `${load.failures.length} failed, ${proxy.retries} retried on refusal, ${JSON.stringify(load.counts)}\n`,
    );
    expect(load.failures).toEqual([]);
    expect(Object.keys(load.counts).sort()).toEqual([
      'info',
      'login',
      'publickey',
      'refresh',
      'register',
      'verify',
    ]);
    for (const server of servers) expect(server.output).not.toMatch(/"level":"(error|fatal)"/);
    await proxy.close();
  });
});
