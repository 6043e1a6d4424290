import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PasswordHasher } from '../../src/auth/password/password-hasher.service.js';
import { SecurityEvents } from '../../src/events/security-events.js';
import { Transactions } from '../../src/database/transactions.js';
import { MetricsServer } from '../../src/metrics/metrics.server.js';
import { KeyRotationService } from '../../src/token/key-rotation.service.js';
import { login, addAccount, registration } from '../support/accounts.js';
import { startTestApp, type TestApp, type TestAppOptions } from '../support/app.js';
import { builtServer } from '../support/built.js';
import { Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { Exposition } from '../support/exposition.js';
import { freePort, ServerProcess } from '../support/server-process.js';

const TOKEN = 'a-token-of-the-scraper-0123456789';

const open: TestApp[] = [];
afterEach(async () => {
  await ServerProcess.killAll();
  for (const app of open.splice(0)) await app.close();
});

async function start(env: Record<string, string> = {}, options: TestAppOptions = {}): Promise<TestApp> {
  const app = await startTestApp({ ...options, env });
  open.push(app);
  return app;
}

/** A server with a separate port for metrics. */
async function startWithPort(
  options: TestAppOptions = {},
  env: Record<string, string> = {},
): Promise<{ app: TestApp; metrics: Client }> {
  const app = await start({ ...env, METRICS_PORT: '0' }, options);
  const port = await app.app.get(MetricsServer).listen();
  return { app, metrics: new Client(`http://127.0.0.1:${port}`) };
}

async function scrape(metrics: Client, token?: string): Promise<Exposition> {
  const answer = await metrics.get('/metrics', token === undefined ? {} : { token });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  return new Exposition(answer.text);
}

/** Values read from the database may be cached for five seconds. */
const scrapeAnew = (metrics: Client, isNew: (exposition: Exposition) => boolean) =>
  eventually(async () => {
    const exposition = await scrape(metrics);
    return isNew(exposition) && exposition;
  }, 'a scrape with new values');

describe('GET /metrics', () => {
  it('does not exist unless configured', async () => {
    const app = await start();
    const answer = await app.client.get('/metrics', { token: TOKEN });
    expect([answer.status, answer.code]).toEqual([404, 1005]);
    expect(() => app.app.get(MetricsServer)).toThrow();
  });

  it('requires METRICS_TOKEN on the port of the API', async () => {
    const app = await start({ METRICS_TOKEN: TOKEN });
    for (const authorization of [
      '',
      'Bearer',
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
      `Basic ${TOKEN}`,
    ]) {
      const answer = await app.client.get('/metrics', { headers: { authorization } });
      expect([answer.status, answer.code]).toEqual([401, 1003]);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
      expect(answer.text).not.toContain('pluto_');
    }
    expect((await scrape(app.client, TOKEN)).get('pluto_database_up')).toBe(1);
    const document = (await app.client.get('/openapi.json')).json as { paths: object };
    expect(Object.keys(document.paths)).not.toContain('/metrics');
  });

  it('is only on METRICS_PORT if that is set', async () => {
    const { app, metrics } = await startWithPort();
    expect((await scrape(metrics)).get('pluto_database_up')).toBe(1);
    expect((await app.client.get('/metrics')).status).toBe(404);
    expect((await metrics.get('/metrics?name=pluto')).status).toBe(200);
    expect(await metrics.request('HEAD', '/metrics')).toMatchObject({ status: 200, text: '' });
    expect((await metrics.post('/metrics', {})).status).toBe(405);
    for (const path of ['/', '/v1/healthcheck', '/metrics/', '/metrics/x'])
      expect(await metrics.get(path)).toMatchObject({ status: 404, text: '' });
    await app.stop();
    await expect(metrics.get('/metrics')).rejects.toThrow();
  });

  it('requires the token on METRICS_PORT too if both are set', async () => {
    const app = await start({ METRICS_PORT: '0', METRICS_TOKEN: TOKEN });
    const metrics = new Client(`http://127.0.0.1:${await app.app.get(MetricsServer).listen()}`);
    const answer = await metrics.get('/metrics');
    expect([answer.status, answer.text]).toEqual([401, '']);
    expect((await metrics.get('/metrics', { token: `${TOKEN}x` })).status).toBe(401);
    expect((await scrape(metrics, TOKEN)).get('pluto_database_up')).toBe(1);
    expect((await app.client.get('/metrics', { token: TOKEN })).status).toBe(404);
  });

  it('keeps two servers of one process apart', async () => {
    const [one, other] = [await startWithPort(), await startWithPort()];
    await one.app.client.get('/health/live');
    const count = { route: '/health/live', status: '200' };
    await eventually(async () => (await scrape(one.metrics)).find('pluto_http_requests_total', count) === 1);
    expect((await scrape(other.metrics)).find('pluto_http_requests_total', count)).toBeUndefined();
  });
});

describe('the metrics of requests', () => {
  it('count and time them by method, pattern and status, and by nothing that a caller can choose', async () => {
    const { app, metrics } = await startWithPort();
    const before = await scrape(metrics);
    expect(before.sum('pluto_http_requests_total')).toBe(0);
    await app.client.get('/health/live');
    await app.client.get('/v1/user/info/123456/public');
    await app.client.get('/v1/user/info/654321/public');
    await app.client.get('/no/such/path/of/chosen-words');
    await app.client.request('REPORT', '/no/such/method');
    await app.client.post('/v1/user/login/account', '{not json');
    await app.client.get('/avatars/none.png');

    const after = await eventually(async () => {
      const exposition = await scrape(metrics);
      return exposition.sum('pluto_http_requests_total') === 7 && exposition;
    }, 'the count of all requests');
    const counted = (method: string, route: string, status: string) => {
      const labels = { method, route, status };
      expect(after.get('pluto_http_request_duration_seconds_count', labels)).toBe(
        after.get('pluto_http_requests_total', labels),
      );
      expect(after.get('pluto_http_request_duration_seconds_sum', labels)).toBeGreaterThan(0);
      expect(after.get('pluto_http_request_duration_seconds_bucket', { ...labels, le: '+Inf' })).toBe(
        after.get('pluto_http_requests_total', labels),
      );
      return after.get('pluto_http_requests_total', labels);
    };
    expect(counted('GET', '/health/live', '200')).toBe(1);
    expect(counted('GET', '/v1/user/info/:userId/public', '403')).toBe(2);
    expect(counted('GET', '(none)', '404')).toBe(1);
    expect(counted('other', '(none)', '404')).toBe(1);
    expect(counted('POST', '/v1/user/login/account', '400')).toBe(1);
    expect(counted('GET', '/avatars/*', '404')).toBe(1);
    expect(after.get('pluto_http_requests_in_flight')).toBe(0);
    expect(after.text).not.toMatch(/123456|654321|chosen-words|REPORT/);
  });

  it('report those in progress, and those aborted by their caller', async () => {
    const { app, metrics } = await startWithPort();
    const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      'POST /v1/user/login/account HTTP/1.1\r\nHost: pluto.test\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    );
    await scrapeAnew(metrics, (one) => one.get('pluto_http_requests_in_flight') === 1);
    socket.destroy();
    const after = await scrapeAnew(metrics, (one) => one.get('pluto_http_requests_in_flight') === 0);
    const labels = { method: 'POST', route: '/v1/user/login/account' };
    expect(after.sum('pluto_http_requests_total', labels)).toBe(1);
  });
});

describe('the metrics of security events', () => {
  const failed = {
    type: 'login.failed',
    applicationId: null,
    userId: null,
    detail: { method: 'google', reason: 'credentials' },
  } as const;

  it('count what was committed, and not what was rolled back', async () => {
    const { app, metrics } = await startWithPort();
    const events = app.app.get(SecurityEvents);
    const transactions = app.app.get(Transactions);
    const googleLogins = async (result: string) =>
      (await scrape(metrics)).find('pluto_logins_total', { method: 'google', result });

    await expect(
      transactions.runFor(null, async (manager) => {
        await events.publish(manager, failed);
        throw new Error('undone');
      }),
    ).rejects.toThrow('undone');
    expect(await googleLogins('credentials')).toBeUndefined();

    await transactions.runFor(null, (manager) => events.publish(manager, failed));
    await transactions.runFor(null, (manager) =>
      events.publish(manager, {
        ...failed,
        type: 'login.succeeded',
        detail: { method: 'google', device: '' },
      }),
    );
    expect(await googleLogins('credentials')).toBe(1);
    expect(await googleLogins('succeeded')).toBe(1);
    const after = await scrape(metrics);
    expect(after.get('pluto_security_events_total', { type: 'login.failed' })).toBe(1);
    expect(after.get('pluto_security_events_total', { type: 'login.succeeded' })).toBe(1);
    expect(after.get('pluto_security_events_total', { type: 'refresh.reused' })).toBe(0);
  });
});

describe('the metrics of password hashes', () => {
  it('report how many are running and waiting, and how long each takes', async () => {
    const { app, metrics } = await startWithPort();
    const before = await scrape(metrics);
    const hasher = app.app.get(PasswordHasher);
    const PARALLEL = 30;
    const hashes = Promise.all(Array.from({ length: PARALLEL }, (_, n) => hasher.hash(`password ${n}`)));
    const during = await scrape(metrics);
    const running = during.get('pluto_password_hash_queue', { state: 'running' });
    expect(running).toBe(during.get('pluto_password_hash_queue_limit', { state: 'running' }));
    expect(during.get('pluto_password_hash_queue', { state: 'waiting' })).toBeGreaterThan(0);
    await hashes;
    const after = await scrape(metrics);
    expect(after.get('pluto_password_hash_queue', { state: 'running' })).toBe(0);
    expect(after.get('pluto_password_hash_queue', { state: 'waiting' })).toBe(0);
    const count = 'pluto_password_hash_duration_seconds_count';
    expect(after.get(count) - before.get(count)).toBe(PARALLEL);
    expect(after.get('pluto_password_hash_duration_seconds_sum')).toBeGreaterThan(0);
  });
});

describe('the metrics of queued work', () => {
  it('report queued and failed mails, revocations and keys', async () => {
    const { app, metrics } = await startWithPort({ sendMails: false });
    const before = await scrape(metrics);
    expect(before.get('pluto_outbox_mails', { state: 'queued' })).toBe(0);
    expect(before.get('pluto_outbox_oldest_queued_seconds')).toBe(0);
    expect(before.get('pluto_apple_revocations_waiting')).toBe(0);
    expect(before.get('pluto_signing_keys', { state: 'signing' })).toBe(1);
    expect(before.get('pluto_signing_keys', { state: 'next' })).toBe(0);

    for (let count = 0; count < 3; count++) await app.client.post('/v1/user/register', registration());
    await app.dataSource.query(`UPDATE mails SET created_at = created_at - 1000`);
    await app.dataSource.query(`UPDATE mails SET state = 'failed' WHERE id = 1`);
    await app.dataSource.query(`UPDATE signing_keys SET signs_from = signs_from - 5000`);
    await app.dataSource.query(
      `INSERT INTO apple_grants (application_id, client_id, subject_hash, sealed_refresh_token, next_attempt_at, created_at)
       VALUES (1, 'a client', 'a hash', 'sealed', 1, 1)`,
    );
    await app.app.get(KeyRotationService).rotate(null);

    const after = await scrapeAnew(metrics, (one) => one.get('pluto_outbox_mails', { state: 'queued' }) > 0);
    expect(after.get('pluto_outbox_mails', { state: 'queued' })).toBe(2);
    expect(after.get('pluto_outbox_mails', { state: 'failed' })).toBe(1);
    expect(after.get('pluto_outbox_oldest_queued_seconds')).toBeGreaterThanOrEqual(1000);
    expect(after.get('pluto_outbox_oldest_queued_seconds')).toBeLessThan(1060);
    expect(after.get('pluto_apple_revocations_waiting')).toBe(1);
    expect(after.get('pluto_signing_keys', { state: 'next' })).toBe(1);
    expect(after.get('pluto_signing_key_age_seconds')).toBeGreaterThanOrEqual(5000);
  });

  it('report the use of database connections', async () => {
    const { app, metrics } = await startWithPort();
    const limit = (await scrape(metrics)).get('pluto_database_pool_limit');
    const transactions = app.app.get(Transactions);
    let end!: () => void;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const busy = Array.from({ length: limit + 4 }, () =>
      transactions.run(async (manager) => {
        await manager.query('SELECT 1');
        await ended;
      }),
    );
    const during = await scrapeAnew(metrics, (one) => one.get('pluto_database_pool_waiting') >= 4);
    end();
    await Promise.all(busy);
    expect(during.get('pluto_database_pool_connections', { state: 'in_use' })).toBe(limit);
    const after = await scrapeAnew(metrics, (one) => one.get('pluto_database_up') === 1);
    expect(after.get('pluto_database_pool_connections', { state: 'in_use' })).toBe(0);
    expect(after.get('pluto_database_pool_waiting')).toBe(0);
    expect(after.get('pluto_database_pool_connections', { state: 'idle' })).toBeGreaterThan(0);
  });

  it('omit what needs the database while it does not answer', async () => {
    const { app, metrics } = await startWithPort();
    const before = await scrape(metrics);
    expect(before.get('pluto_database_up')).toBe(1);
    let end!: () => void;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const limit = before.get('pluto_database_pool_limit');
    const busy = Array.from({ length: limit }, () =>
      app.app.get(Transactions).run(async (manager) => {
        await manager.query('SELECT 1');
        await ended;
      }),
    );
    const during = await scrapeAnew(metrics, (one) => one.get('pluto_database_up') === 0);
    const of = ['pluto_outbox_mails', 'pluto_outbox_oldest_queued_seconds', 'pluto_signing_keys'];
    for (const name of [...of, 'pluto_signing_key_age_seconds', 'pluto_apple_revocations_waiting'])
      expect(during.samples.filter((one) => one.name === name)).toEqual([]);
    expect(during.get('pluto_http_requests_in_flight')).toBe(0);
    end();
    await Promise.all(busy);
    const after = await scrapeAnew(metrics, (one) => one.get('pluto_database_up') === 1);
    expect(after.get('pluto_outbox_mails', { state: 'queued' })).toBe(0);
  });

  it('are exported by a server without its database', async () => {
    const { app, metrics } = await startWithPort({ sendMails: false });
    await app.dataSource.destroy();
    const exposition = await scrape(metrics);
    expect(exposition.get('pluto_database_up')).toBe(0);
    expect(exposition.find('pluto_outbox_mails', { state: 'queued' })).toBeUndefined();
    // Lets the application close what it opened.
    await app.dataSource.initialize();
  });
});

describe('the exposition', () => {
  it('has version, process and event loop, and no personal data', async () => {
    const { app, metrics } = await startWithPort();
    const account = await addAccount(app);
    const tokens = await login(app, account);
    await app.client.post('/v1/user/login/account', {
      account: account.mail,
      password: 'a wrong password',
      app_id: account.app_id,
    });
    await app.client.get('/v1/user/info', { token: tokens.access_token });
    await app.client.get(`/web/password/reset/some-secret-token?mail=${account.mail}`);
    const exposition = await scrape(metrics);
    expect(exposition.samples.find(({ name }) => name === 'pluto_build_info')?.labels).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      database: process.env.TEST_DATABASE_URL ? 'mysql' : 'sqlite',
    });
    expect(exposition.get('process_resident_memory_bytes')).toBeGreaterThan(1e6);
    expect(exposition.find('nodejs_eventloop_lag_p99_seconds')).toBeDefined();
    const own = [...exposition.families].filter(([name]) => name.startsWith('pluto_'));
    expect(own.length).toBeGreaterThan(15);
    for (const [name, { type, help }] of own) {
      expect([name, help.length > 10]).toEqual([name, true]);
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
    }
    const secrets = [account.mail, account.user_id, account.name, account.app_id + '"', 'some-secret-token'];
    for (const secret of [...secrets, '127.0.0.1', tokens.refresh_token, app.dataDir])
      expect(exposition.text).not.toContain(secret);
  });
});

describe('deploy/prometheus-alerts.yml and docs/operations.md', () => {
  it('name existing metrics and labels', async () => {
    const unreachable = `redis://127.0.0.1:${await freePort()}`;
    const { app, metrics } = await startWithPort({}, { REDIS_URL: unreachable, RATE_LIMIT: 'true' });
    await app.client.get('/health/live');
    const isCounted = (one: Exposition) => one.sum('pluto_http_requests_total') > 0;
    const { families, samples } = await scrapeAnew(metrics, isCounted);
    const known = new Set(families.keys());
    const exprs = readFileSync('deploy/prometheus-alerts.yml', 'utf8');
    const named = [...exprs.matchAll(/\b((?:pluto|process|nodejs)_\w+)(?:\{(.*?)\})?/g)];
    expect(named.length).toBeGreaterThan(15);
    for (const [, name = '', matchers = ''] of named) {
      expect(known).toContain(name.replace(/_(bucket|sum|count)$/, ''));
      const labels = [...matchers.matchAll(/(\w+)(=~?)"(.*?)"/g)].filter(([, label]) => label !== 'job');
      for (const [, label = '', operator, value] of labels) {
        const values = samples.filter((one) => one.name === name).map((one) => one.labels[label]);
        expect(values.filter((one) => one === undefined)).toEqual([]);
        // Labels for a status or route appear with its first request.
        if (operator === '=' && label !== 'status') expect(values).toContain(value);
      }
    }
    const page = readFileSync('docs/operations.md', 'utf8');
    const documented = [...page.matchAll(/^\| `(pluto_\w+)`/gm)].map(([, name]) => name);
    expect(documented.sort()).toEqual([...known].filter((name) => name.startsWith('pluto_')).sort());
  });
});

describe('a server process with METRICS_PORT', () => {
  let folder: string;
  beforeAll(() => builtServer(), 180_000);
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'pluto-metrics-'))));
  afterEach(async () => {
    await ServerProcess.killAll();
    rmSync(folder, { recursive: true });
  });

  it('opens it, and is not kept running by it', async () => {
    const METRICS_PORT = await freePort();
    const server = await ServerProcess.start(folder, { PORT: await freePort(), METRICS_PORT });
    await server.ready();
    const metrics = new Client(`http://127.0.0.1:${METRICS_PORT}`);
    expect((await scrape(metrics)).get('pluto_database_up')).toBe(1);
    expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  it('does not start if the port is taken', async () => {
    const METRICS_PORT = await freePort();
    const first = await ServerProcess.start(folder, { PORT: await freePort(), METRICS_PORT });
    await first.ready();
    const second = await ServerProcess.start(folder, {
      PORT: await freePort(),
      METRICS_PORT,
      DATA_DIR: join(folder, 'second'),
    });
    expect(await second.exited).toEqual({ code: 1, signal: null });
    expect(second.output).toContain(`METRICS_PORT ${METRICS_PORT} on 127.0.0.1 is in use`);
  });
});
