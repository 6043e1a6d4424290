import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dataSourceOptions } from '../../src/database/data-source-options.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { registration } from '../support/accounts.js';
import { builtServer } from '../support/built.js';
import type { Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { freePort, ServerProcess, type Exit } from '../support/server-process.js';
import { SmtpServer } from '../support/smtp.js';
import { RawSocket } from './support/raw-socket.js';

const STOPPED: Exit = { code: 0, signal: null };

let folder: string;
beforeAll(() => builtServer(), 180_000);
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'pluto-stop-'))));
afterEach(async () => {
  await ServerProcess.killAll();
  rmSync(folder, { recursive: true, force: true });
});

async function start(env: Record<string, string> = {}) {
  const server = await ServerProcess.start(folder, { PORT: await freePort(), RATE_LIMIT: 'false', ...env });
  return { server, client: await server.ready() };
}

interface LogLine {
  msg: string;
  requests?: string[];
  work?: string[];
}

function logLine(server: ServerProcess, msg: string): LogLine | undefined {
  const lines = server.stdout.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as LogLine).find((line) => line.msg === msg);
}

async function durationOf(exit: Promise<Exit>): Promise<{ exit: Exit; ms: number }> {
  const begun = performance.now();
  return { exit: await exit, ms: performance.now() - begun };
}

/** A request whose body never comes. */
function hangingRequest({ url }: Client): RawSocket {
  const socket = new RawSocket(url);
  socket.write('POST /v1/user/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n');
  socket.write('Content-Length: 100\r\n\r\n{');
  return socket;
}

function isRefused({ url }: Client): Promise<boolean> {
  return fetch(`${url}/health/live`).then(
    () => false,
    (error: { cause?: { code?: string } }) => error.cause?.code === 'ECONNREFUSED',
  );
}

describe('work still in progress after ten seconds', () => {
  it('is aborted and named in the log, and the process exits with 0', async () => {
    const smtp = await SmtpServer.start({ delayMs: 30_000 });
    try {
      const { server, client } = await start({ SMTP_URL: smtp.url, MAIL_FROM: 'accounts@pluto.test' });
      expect((await client.post('/v1/user/register', registration())).status).toBe(200);
      await smtp.waitForAttempts(1);
      const hanging = hangingRequest(client);
      await sleep(200);
      const { exit, ms } = await durationOf(server.kill('SIGTERM'));
      expect(exit).toEqual(STOPPED);
      expect(ms).toBeGreaterThan(9000);
      expect((await hanging.ended).answer).toBe('');
      expect(logLine(server, 'shutdown timed out, aborting')).toMatchObject({
        requests: ['POST /v1/user/register'],
        // A hanging delivery has its own, shorter timeout.
        work: [],
      });
    } finally {
      await smtp.close();
    }
  });
});

describe('a second signal', () => {
  it.each([
    ['SIGTERM', 'SIGTERM', 143],
    ['SIGINT', 'SIGINT', 130],
    ['SIGTERM', 'SIGINT', 130],
  ] as const)('(%s, then %s) ends the process at once with %d', async (first, second, code) => {
    const { server, client } = await start();
    hangingRequest(client);
    await sleep(200);
    const exited = server.kill(first);
    // As npm does with Ctrl-C, which the terminal has sent already.
    await sleep(50);
    process.kill(server.pid, first);
    await sleep(1000);
    expect(logLine(server, `${first}: finishing work in progress`)).toBeDefined();
    process.kill(server.pid, second);
    // What was under way would have been waited for, and the exit code have been 0.
    expect(await exited).toEqual({ code, signal: null });
  });
});

describe('a signal while the server starts', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('(%s) ends it, also while another migrates', async (signal) => {
    const { server: first } = await start();
    await first.kill('SIGTERM');
    const path = join(folder, 'data/pluto.db');
    const dataSource = await new PlutoDataSource(
      dataSourceOptions({ kind: 'sqlite', path }, [], []),
    ).initialize();
    await dataSource.query("UPDATE leases SET owner = 'x', expires_at = unixepoch() + 600");
    await dataSource.destroy();

    const waiting = await ServerProcess.start(folder, { PORT: await freePort() });
    await sleep(6000);
    expect(waiting.stdout).toBe('');
    // The lease is another's for ten minutes.
    expect(await waiting.kill(signal)).toEqual(STOPPED);
  });
});

describe('STOP_DELAY', () => {
  it('keeps serving while readiness fails, and closes each connection with its response', async () => {
    const { server, client } = await start({ STOP_DELAY: '3' });
    const before = await client.get('/health/ready');
    expect([before.status, before.headers.get('connection')]).toEqual([200, 'keep-alive']);
    const stopping = durationOf(server.kill('SIGTERM'));
    await eventually(
      async () => (await client.get('/health/ready')).status === 503,
      'the probe to say no',
      2000,
    );
    const probe = await client.get('/health/ready');
    expect(probe.json).toEqual({ status: 'error', error: { code: 1010, message: expect.any(String) } });

    await sleep(1500);
    const live = await client.get('/health/live');
    expect([live.status, live.headers.get('connection')]).toEqual([200, 'close']);
    const healthy = await client.get('/v1/healthcheck');
    expect([healthy.status, healthy.headers.get('connection')]).toEqual([200, 'close']);
    expect((await client.post('/v1/user/register', registration())).status).toBe(200);

    await eventually(() => isRefused(client), 'the end of listening', 5000);
    const { exit, ms } = await stopping;
    expect(exit).toEqual(STOPPED);
    expect(ms).toBeGreaterThan(3000);
  });

  it('does not delay Ctrl-C', async () => {
    const { server } = await start({ STOP_DELAY: '300' });
    expect(await server.kill('SIGINT')).toEqual(STOPPED);
  });
});

describe('a connection that is kept for further requests', () => {
  it('gets responses, in the envelope, while the server closes', async () => {
    const { server, client } = await start();
    const { hostname, port } = new URL(client.url);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (path: string) =>
      new Promise<{ status: number; connection: string | undefined }>((resolve, reject) => {
        const sent = httpRequest({ hostname, port, path, agent }, (response) => {
          response.resume();
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, connection: response.headers.connection }),
          );
        });
        sent.on('error', reject).end();
      });
    expect(await ask('/health/live')).toEqual({ status: 200, connection: 'keep-alive' });
    // Keeps the server from ending.
    const hanging = hangingRequest(client);
    await sleep(200);
    const exited = server.kill('SIGTERM');
    await eventually(() => server.stdout.includes('finishing work in progress'));
    expect(await ask('/v1/healthcheck')).toEqual({ status: 200, connection: 'close' });
    await eventually(() => isRefused(client), 'the end of listening');

    // The one under way is answered as well: what it sends at last is no JSON.
    hanging.write('x'.repeat(99));
    const { answer } = await hanging.ended;
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toMatch(/connection: close/i);
    expect(await exited).toEqual(STOPPED);
    agent.destroy();
  });
});
