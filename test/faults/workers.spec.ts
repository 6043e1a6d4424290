import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { builtServer } from '../support/built.js';
import type { Client } from '../support/client.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { freePort, isRunning, ServerProcess } from '../support/server-process.js';
import { PrivateMariadb } from './support/private-mariadb.js';
import { RawSocket } from './support/raw-socket.js';

const WORKERS = 3;
const LANES = 12;
const ADMIN_PASSWORD = 'admin password';

let mariadb: PrivateMariadb;
let database: TestDatabase;
let folder: string;
beforeAll(async () => {
  await builtServer();
  mariadb = await PrivateMariadb.start();
  mariadb.use(true);
}, 180_000);
afterAll(() => mariadb.stop());
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pluto-workers-'));
  database = await createTestDatabase('');
});
afterEach(async () => {
  await ServerProcess.killAll();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(env: Record<string, string> = {}) {
  if (database.database.kind !== 'mysql') throw new Error('no MariaDB');
  const server = await ServerProcess.start(folder, {
    PORT: await freePort(),
    DATABASE_URL: database.database.url,
    SECRET_KEY: 'a secret key for the workers of the tests',
    ADMIN_PASSWORD,
    RATE_LIMIT: 'false',
    WORKERS: String(WORKERS),
    ...env,
  });
  return { server, client: await server.ready() };
}

/** Waits until so many workers serve. @returns their process ids */
async function workersOf(server: ServerProcess, count = WORKERS): Promise<number[]> {
  const serving = () => {
    const told = [...server.stdout.matchAll(/^.*"a worker process serves".*$/gm)];
    const pids = told.map(([line]) => (JSON.parse(line) as { worker: number }).worker);
    return pids.filter((pid) => server.children.includes(pid) && isRunning(pid));
  };
  return eventually(() => serving().length === count && serving(), `${count} workers`, 60_000);
}

function logIn(client: Client, headers: Record<string, string> = {}) {
  const credentials = { account: 'admin@localhost', password: ADMIN_PASSWORD, app_id: 'pluto' };
  return client.post('/v1/user/login/account', credentials, { headers });
}

/** Steady logins, each by a connection of its own; counts those that were answered and those whose connection broke. */
class Load {
  answered = 0;
  broken = 0;
  longestMs = 0;
  readonly wrong: string[] = [];
  private isOn = true;
  private readonly lanes: Promise<void>[];

  constructor(client: Client) {
    this.lanes = Array.from({ length: LANES }, () => this.run(client));
  }

  async end(): Promise<void> {
    this.isOn = false;
    await Promise.all(this.lanes);
  }

  private async run(client: Client): Promise<void> {
    while (this.isOn) {
      const begun = performance.now();
      const answer = await logIn(client, { connection: 'close' }).catch(() => null);
      this.longestMs = Math.max(this.longestMs, performance.now() - begun);
      if (answer === null) this.broken++;
      else if (answer.status === 200) this.answered++;
      else this.wrong.push(answer.text);
    }
  }
}

function pausesIn({ stdout }: ServerProcess): number[] {
  return [...stdout.matchAll(/"pauseMs":(\d+)/g)].map(([, pause]) => Number(pause));
}

describe('WORKERS', () => {
  it('auto is one a core', async () => {
    const { server } = await start({ WORKERS: 'auto' });
    const count = availableParallelism();
    if (count > 1) expect(await workersOf(server, count)).toHaveLength(count);
    expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  it('that are killed under load lose their own requests at most, and are replaced', async () => {
    const { server, client } = await start();
    const before = await workersOf(server);
    const load = new Load(client);
    const killed: number[] = [];
    // One of the first stays: it takes the others seconds to be replaced.
    for (let kill = 0; kill < WORKERS - 1; kill++) {
      await sleep(1000);
      const victim = server.children.find((pid) => before.includes(pid))!;
      killed.push(victim);
      process.kill(victim, 'SIGKILL');
      await eventually(() => !isRunning(victim), 'the death of a worker');
    }
    await workersOf(server);
    const answeredBefore = load.answered;
    await eventually(() => load.answered > answeredBefore + 20, 'logins after that', 20_000);
    await load.end();
    process.stdout.write(
      `workers: ${load.answered} answered, ${load.broken} broken by ${killed.length} kills\n`,
    );
    expect(load.wrong).toEqual([]);
    // Nobody waits for a worker that died with a connection on its way to it.
    expect(load.longestMs).toBeLessThan(20_000);
    // A dead worker's share of the lanes, and nothing after its death.
    expect(load.broken).toBeLessThanOrEqual(killed.length * LANES);
    expect(load.broken).toBeLessThan(load.answered / 4);
    expect(server.children.filter((pid) => killed.includes(pid))).toEqual([]);
    expect(pausesIn(server)).toEqual([250, 500]);
    expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  it('are replaced ever more slowly while they die again and again', async () => {
    const { server } = await start({ WORKERS: '2' });
    await workersOf(server, 2);
    const begun = performance.now();
    while (performance.now() - begun < 12_000) {
      for (const pid of server.children) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
      await sleep(20);
    }
    const pauses = pausesIn(server);
    expect(pauses.slice(0, 5)).toEqual([250, 500, 1000, 2000, 4000]);
    expect(pauses.length).toBeLessThan(10);
    expect(isRunning(server.pid)).toBe(true);
    // Nobody is left to wait for, but for the pauses.
    const stopping = performance.now();
    expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(performance.now() - stopping).toBeLessThan(5000);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'answer what is under way at %s, and end with 0',
    async (signal) => {
      const { server, client } = await start();
      const workers = await workersOf(server);
      await Promise.all(Array.from({ length: 30 }, () => client.get('/health/live')));
      const logins = Array.from({ length: 30 }, () => logIn(client));
      await Promise.race(logins);
      // To the whole group, as a terminal and systemd do.
      for (const pid of workers) process.kill(pid, signal);
      const exited = server.kill(signal);
      const statuses = (await Promise.all(logins)).map(({ status }) => status);
      expect(statuses).toEqual(logins.map(() => 200));
      expect(await exited).toEqual({ code: 0, signal: null });
      expect(workers.filter(isRunning)).toEqual([]);
      expect(pausesIn(server)).toEqual([]);
    },
  );

  it('are killed at once by a second signal', async () => {
    const { server, client } = await start();
    const workers = await workersOf(server);
    const hanging = Array.from({ length: WORKERS * 2 }, () => new RawSocket(client.url));
    for (const socket of hanging) socket.write('POST /v1/user/register HTTP/1.1\r\nHost: x\r\n');
    for (const socket of hanging)
      socket.write('Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{');
    await sleep(300);
    const exited = server.kill('SIGTERM');
    await sleep(1000);
    expect(workers.filter(isRunning)).not.toEqual([]);
    const begun = performance.now();
    process.kill(server.pid, 'SIGTERM');
    expect(await exited).toEqual({ code: 143, signal: null });
    await eventually(() => workers.filter(isRunning).length === 0, 'the end of the workers', 5000);
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  it('that hear nothing any more are killed when their time is over, and that is an error', async () => {
    const { server } = await start({ WORKERS: '2' });
    const [deaf, ...others] = await workersOf(server, 2);
    process.kill(deaf!, 'SIGSTOP');
    const begun = performance.now();
    expect(await server.kill('SIGTERM')).toEqual({ code: 1, signal: null });
    expect(performance.now() - begun).toBeLessThan(11_000);
    expect([deaf!, ...others].filter(isRunning)).toEqual([]);
    expect(server.stdout).toContain('a worker process is killed');
  });

  it('end by themselves when their supervisor is killed', async () => {
    const { server, client } = await start();
    const workers = await workersOf(server);
    const load = new Load(client);
    await eventually(() => load.answered > 5, 'some load', 20_000);
    process.kill(server.pid, 'SIGKILL');
    await eventually(() => workers.filter(isRunning).length === 0, 'the end of the workers', 3000);
    await load.end();
    await server.exited;
    await expect(client.get('/health/live')).rejects.toThrow();
  });
});
