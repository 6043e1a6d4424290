import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { dataSourceOptions, type DatabaseSettings } from '../../src/database/data-source-options.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { registration, type TestAccount } from '../support/accounts.js';
import { builtServer } from '../support/built.js';
import { runPluto } from '../support/command-line.js';
import type { Client } from '../support/client.js';
import { createTestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { Mailbox } from '../support/mailbox.js';
import { freePort, isRunning, ServerProcess } from '../support/server-process.js';

const ONE_PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const SECRET_KEY = 'a secret key for the processes of the tests';
// Without a server there is no such test; global-setup.ts reports it.
const itOnMariadb = process.env.TEST_DATABASE_URL ? it : (): void => undefined;

let folder: string;
beforeAll(() => builtServer(), 180_000);
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'pluto-process-'))));
afterEach(async () => {
  await ServerProcess.killAll();
  rmSync(folder, { recursive: true });
});

const start = (env: Record<string, string> = {}) => ServerProcess.start(folder, env);

function loginAs(client: Client, account: string, password: string) {
  return client.post('/v1/user/login/account', { account, password, app_id: 'pluto' });
}

async function inDatabase<T>(
  database: DatabaseSettings,
  work: (dataSource: PlutoDataSource) => Promise<T>,
): Promise<T> {
  const dataSource = new PlutoDataSource(dataSourceOptions(database, [], []));
  await dataSource.initialize();
  try {
    return await work(dataSource);
  } finally {
    await dataSource.destroy();
  }
}

/** Runs something with a new database on the MariaDB of TEST_DATABASE_URL. */
async function inMariadb(
  work: (database: Extract<DatabaseSettings, { kind: 'mysql' }>) => Promise<void>,
): Promise<void> {
  const created = await createTestDatabase();
  if (created.database.kind !== 'mysql') throw new Error('TEST_DATABASE_URL names no MariaDB');
  try {
    await work(created.database);
  } finally {
    await ServerProcess.killAll();
    await created.drop();
  }
}

function counts(database: DatabaseSettings, tables: string[]): Promise<number[]> {
  return inDatabase(database, (dataSource) =>
    Promise.all(
      tables.map(async (table) => {
        const [row] = await dataSource.query<{ n: number }[]>(`SELECT COUNT(*) AS n FROM ${table}`);
        return Number(row!.n);
      }),
    ),
  );
}

/** One line that begins with a text, and nothing else. */
function oneLine(beginning: string): RegExp {
  return new RegExp(`^${beginning.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}[^\n]*\n$`);
}

/** Asserts that a server ends with one line for its operator, which hides the password of its database. */
async function expectNoStart(env: Record<string, string>, beginning: string): Promise<void> {
  const server = await start({ PORT: '0', ...env });
  expect(await server.exited).toEqual({ code: 1, signal: null });
  expect(server.output).toMatch(oneLine(beginning));
  expect(server.output).not.toContain('hunter2');
}

describe('the server in an empty folder with nothing configured', () => {
  it('prints a banner once, keeps its files private, and stops at SIGTERM', async () => {
    const port = await freePort();
    const first = await start({ PORT: port });
    const client = await first.ready();
    expect(first.told('Address')).toBe(`http://localhost:${port}`);
    expect(first.told('Swagger UI')).toBe(`http://localhost:${port}/docs`);
    expect(first.told('Data')).toBe(join(folder, 'data'));
    expect(first.told('Database')).toBe(join(folder, 'data/pluto.db'));
    expect(first.told('Mails')).toContain(join(folder, 'data/outbox'));
    expect(first.told('Administrator')).toBe('admin@localhost');
    const password = /^\S+/.exec(first.told('Password'))![0];
    expect(password.length).toBeGreaterThanOrEqual(16);
    expect(first.output.split(password)).toHaveLength(2);
    expect(first.output.split('Pluto is ready.')).toHaveLength(2);
    expect(first.stderr).toBe('');

    const answer = await loginAs(client, 'admin@localhost', password);
    expect(answer.status).toBe(200);
    const token = answer.body.access_token as string;
    expect((await client.get('/v1/user/info', { token })).body).toMatchObject({ mail: 'admin@localhost' });
    expect((await client.get('/docs')).status).toBe(200);

    expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'data/secret.key')).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['data']);

    expect(await first.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(first.output).not.toContain('shutdown timed out');
    expect(isRunning(first.pid)).toBe(false);
    expect(first.output.split(password)).toHaveLength(2);

    const second = await start({ PORT: port });
    const sameClient = await second.ready();
    expect(second.findTold('Administrator')).toBeNull();
    expect(second.findTold('Password')).toBeNull();
    expect((await sameClient.get('/v1/user/info', { token })).status).toBe(200);
    expect((await loginAs(sameClient, 'admin', password)).status).toBe(200);
    expect(await second.kill('SIGINT')).toEqual({ code: 0, signal: null });
    for (const secret of [password, token, readFileSync(join(folder, 'data/secret.key'), 'utf8')])
      expect(second.output).not.toContain(secret);
  });
});

describe('the embedded database', () => {
  const data = (name: string) => join(folder, 'data', name);
  const passwordOf = (server: ServerProcess) => server.told('Password').split(' ')[0]!;

  /** Runs a server once, with a picture, and stops it. */
  async function runOnce(): Promise<string> {
    const server = await start({ PORT: await freePort() });
    const client = await server.ready();
    const password = passwordOf(server);
    const { body } = await loginAs(client, 'admin', password);
    const change = { avatar: ONE_PIXEL };
    expect((await client.put('/v1/user/info', change, { token: body.access_token })).status).toBe(200);
    expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    return password;
  }

  async function expectRefused(fault: string): Promise<void> {
    const before = readdirSync(join(folder, 'data')).sort();
    const server = await start({ PORT: await freePort() });
    expect(await server.exited).toEqual({ code: 1, signal: null });
    expect(server.stdout).toBe('');
    expect(server.stderr).toMatch(/^DATA_DIR .+\n$/);
    expect(server.stderr).toContain(`holds avatars and secret.key of a server`);
    expect(server.stderr).toContain(`its database ${data('pluto.db')} ${fault}: restore it`);
    const command = await runPluto(['app', 'list'], { env: {}, cwd: folder });
    expect([command.code, command.stdout, command.stderr]).toEqual([1, '', server.stderr]);
    expect(readdirSync(join(folder, 'data')).filter((name) => !/-(wal|shm)$/.test(name))).toEqual(
      before.filter((name) => !/-(wal|shm)$/.test(name)),
    );
  }

  it('is whole in its one file after a clean stop', async () => {
    const password = await runOnce();
    expect(statSync(data('pluto.db-wal'), { throwIfNoEntry: false })?.size ?? 0).toBe(0);
    const copy = mkdtempSync(join(tmpdir(), 'pluto-copy-'));
    try {
      for (const name of ['pluto.db', 'secret.key']) copyFileSync(data(name), join(copy, name));
      const server = await start({ DATA_DIR: copy, PORT: await freePort() });
      const client = await server.ready();
      expect(server.findTold('Password')).toBeNull();
      expect((await loginAs(client, 'admin', password)).status).toBe(200);
      await server.kill('SIGTERM');
    } finally {
      rmSync(copy, { recursive: true });
    }
  });

  it('is whole in its one file after a command, too', async () => {
    await runOnce();
    expect((await runPluto(['app', 'create', 'org.example.app'], { env: {}, cwd: folder })).code).toBe(0);
    rmSync(data('pluto.db-wal'), { force: true });
    rmSync(data('pluto.db-shm'), { force: true });
    expect(await counts({ kind: 'sqlite', path: data('pluto.db') }, ['applications'])).toEqual([2]);
  });

  it('is not created again if its file disappears, and recovers when it is back', async () => {
    const password = await runOnce();
    const files = ['pluto.db', 'pluto.db-wal', 'pluto.db-shm'].filter((name) => existsSync(data(name)));
    for (const name of files) renameSync(data(name), join(folder, name));
    await expectRefused('is missing');
    for (const name of files) renameSync(join(folder, name), data(name));
    const client = await (await start({ PORT: await freePort() })).ready();
    expect((await loginAs(client, 'admin', password)).status).toBe(200);
  });

  it.each([
    ['an empty file', () => Promise.resolve(writeFileSync(data('pluto.db'), ''))],
    [
      'a database without tables',
      async () => {
        rmSync(data('pluto.db'));
        await inDatabase({ kind: 'sqlite', path: data('pluto.db') }, () => Promise.resolve());
      },
    ],
  ])('is not created again in place of %s', async (_what, empty) => {
    await runOnce();
    for (const name of ['pluto.db-wal', 'pluto.db-shm']) rmSync(data(name), { force: true });
    await empty();
    await expectRefused('holds no tables');
  });

  it('includes its write-ahead log after a kill', async () => {
    const server = await start({ PORT: await freePort() });
    await server.ready();
    const password = passwordOf(server);
    await server.kill('SIGKILL');
    const client = await (await start({ PORT: await freePort() })).ready();
    expect((await loginAs(client, 'admin', password)).status).toBe(200);
  });

  it('is created by the next start if the first was killed before that', async () => {
    const server = await start({ PORT: await freePort(), LOG_FORMAT: 'json' });
    await eventually(() => existsSync(data('secret.key')), 'the secret key', 30_000);
    await server.kill('SIGKILL');
    for (const name of ['pluto.db', 'pluto.db-wal', 'pluto.db-shm']) rmSync(data(name), { force: true });
    writeFileSync(data('.first-start'), '');
    const again = await start({ PORT: await freePort() });
    expect((await loginAs(await again.ready(), 'admin', passwordOf(again))).status).toBe(200);
    expect(existsSync(data('.first-start'))).toBe(false);
  });
});

describe('three servers started concurrently', () => {
  async function expectOneStart(env: Record<string, string>): Promise<void> {
    const ports = [await freePort(), await freePort(), await freePort()];
    const servers = await Promise.all(ports.map((PORT) => start({ ...env, PORT })));
    const clients = await Promise.all(servers.map((server) => server.ready()));
    const [password] = servers.flatMap((server) => server.findTold('Password') ?? []);
    expect(servers.filter((server) => server.findTold('Password') !== null)).toHaveLength(1);

    const [one, ...others] = clients as [Client, ...Client[]];
    const answer = await loginAs(one, 'admin', password!.split(' ')[0]!);
    expect(answer.status).toBe(200);
    for (const other of others)
      expect((await other.get('/v1/user/info', { token: answer.body.access_token })).status).toBe(200);
    const keys = await Promise.all(clients.map((client) => client.get('/v1/token/publickey')));
    expect(new Set(keys.map(({ text }) => text)).size).toBe(1);

    const exits = await Promise.all(servers.map((server) => server.kill('SIGTERM')));
    expect(exits.map(({ code }) => code)).toEqual([0, 0, 0]);
    for (const server of servers) expect(server.output).not.toMatch(/"level":"(error|fatal)"/);
  }

  const tables = ['users', 'user_roles', 'applications', 'signing_keys'];

  it('leave one SQLite file to the first of them', async () => {
    const DATA_DIR = join(folder, 'shared');
    const servers = await Promise.all([1, 2, 3].map(() => start({ DATA_DIR, PORT: '0' })));
    const outcomes = await Promise.allSettled(servers.map((server) => server.ready()));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const path = join(DATA_DIR, 'pluto.db');
    for (const server of servers.filter((_, index) => outcomes[index]!.status === 'rejected'))
      expect(server.output).toMatch(oneLine(`DATABASE_URL: another server is running on ${path}. Stop it`));
    expect(await counts({ kind: 'sqlite', path }, tables)).toEqual([1, 1, 1, 1]);
  });

  it('may follow each other on one SQLite file, also after a kill', async () => {
    const first = await start({ PORT: '0' });
    await first.ready();
    await first.kill('SIGKILL');
    await (await start({ PORT: '0' })).ready();
  });

  itOnMariadb('prepare one MariaDB database once, and all serve', async () => {
    await inMariadb(async (database) => {
      await expectOneStart({ DATABASE_URL: database.url, SECRET_KEY });
      expect(await counts(database, tables)).toEqual([1, 1, 1, 1]);
    });
  });
});

describe('WORKERS, which was removed', () => {
  it('is reported at start, from the environment and from .env, and changes nothing', async () => {
    writeFileSync(join(folder, '.env'), 'WORKERS=auto\n');
    const environments: Record<string, string>[] = [{}, { WORKERS: '2' }];
    for (const env of environments) {
      const server = await start({ PORT: await freePort(), ...env });
      const client = await server.ready();
      expect(server.stderr).toMatch(/^WORKERS was removed and is ignored: run several instances [^\n]+\n$/);
      expect((await client.get('/health/live')).status).toBe(200);
      expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    }
  });
});

describe('a server that cannot start', () => {
  it('reports every invalid setting together, shows no value, and creates nothing', async () => {
    const server = await start({
      PORT: 'eighty',
      DATABASE_URL: 'postgres://ann:hunter2@db/pluto',
      SECRET_KEY: 'too short',
      RATE_LIMIT: 'maybe',
      APPLE_TEAM_ID: 'TEAM',
    });
    expect(await server.exited).toEqual({ code: 1, signal: null });
    const lines = server.stderr.trimEnd().split('\n');
    expect(lines.map((line) => line.split(' ')[0]).sort()).toEqual([
      'APPLE_CLIENT_ID',
      'APPLE_KEY_ID',
      'APPLE_PRIVATE_KEY',
      'DATABASE_URL',
      'PORT',
      'RATE_LIMIT',
      'SECRET_KEY',
    ]);
    expect(server.output).not.toMatch(/eighty|hunter2|too short|maybe|TEAM"|\n\s+at /);
    expect(server.stdout).toBe('');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('reports missing migrations if DATABASE_MIGRATE=false, and creates no tables', async () => {
    await expectNoStart(
      { DATABASE_MIGRATE: 'false' },
      'DATABASE_MIGRATE is false, and the database has pending',
    );
    await expect(counts({ kind: 'sqlite', path: join(folder, 'data/pluto.db') }, ['users'])).rejects.toThrow(
      'no such table',
    );
  });

  it.each([
    ['127.0.0.1:1', 'is unreachable (ECONNREFUSED): start it'],
    ['no-such-host.invalid:3306', 'is unreachable, since its host has no address (E'],
  ])('names the unreachable database at %s', async (host, fault) => {
    await expectNoStart(
      { DATABASE_URL: `mysql://pluto:hunter2hunter2@${host}/pluto`, SECRET_KEY },
      `DATABASE_URL: the database mysql://${host}/pluto ${fault}`,
    );
  });

  itOnMariadb('says that MariaDB refuses the password, or has no such database', async () => {
    const url = new URL('no_such_database', process.env.TEST_DATABASE_URL);
    const name = `DATABASE_URL: the database mysql://${url.hostname}:${url.port || 3306}/no_such_database`;
    await expectNoStart({ DATABASE_URL: url.href, SECRET_KEY }, `${name} does not exist: create it`);
    url.password = 'hunter2hunter2';
    await expectNoStart({ DATABASE_URL: url.href, SECRET_KEY }, `${name} refuses the user or the password`);
  });

  itOnMariadb('leaves the tables of another program on MariaDB alone', async () => {
    await inMariadb(async (database) => {
      await inDatabase(database, (dataSource) => dataSource.query('CREATE TABLE wordpress (id INTEGER)'));
      await expectNoStart(
        { DATABASE_URL: database.url, SECRET_KEY },
        'DATABASE_URL names a database of another program (wordpress)',
      );
    });
  });

  it.each([
    ['CREATE TABLE wordpress (id INTEGER)', 'wordpress'],
    ['CREATE TABLE users (id INTEGER)', 'users'],
  ])('leaves the tables of another program alone: %s', async (sql, table) => {
    const path = join(folder, 'other.db');
    await inDatabase({ kind: 'sqlite', path }, (dataSource) => dataSource.query(sql));
    await expectNoStart(
      { DATABASE_URL: `sqlite:${path}` },
      `DATABASE_URL names a database of another program (${table})`,
    );
    await expect(counts({ kind: 'sqlite', path }, ['migrations'])).rejects.toThrow('no such table');
  });

  it('leaves the migrations of another program alone', async () => {
    const path = join(folder, 'other.db');
    await inDatabase({ kind: 'sqlite', path }, async (dataSource) => {
      await dataSource.query('CREATE TABLE migrations (id INTEGER, name TEXT)');
      await dataSource.query("INSERT INTO migrations VALUES (1, 'Other1700000000000')");
    });
    await expectNoStart(
      { DATABASE_URL: `sqlite:${path}` },
      'DATABASE_URL names a database of another program (Other1700000000000)',
    );
  });

  it.each([
    ['no database', Buffer.from('this is a letter, and no database\n'.repeat(500))],
    ['only zeros', Buffer.alloc(16_384)],
  ])('names a database file that holds %s', async (_what, content) => {
    const path = join(folder, 'damaged.db');
    writeFileSync(path, content);
    await expectNoStart(
      { DATABASE_URL: `sqlite:${path}` },
      `DATABASE_URL: the database ${path} is damaged, or no SQLite database (SQLITE_`,
    );
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it('names a port that is in use, an address of no machine, and a changed SECRET_KEY', async () => {
    const PORT = await freePort();
    const first = await start({ PORT });
    await first.ready();
    const metrics = await start({ DATA_DIR: 'other', PORT: '0', METRICS_PORT: PORT });
    expect(await metrics.exited).toEqual({ code: 1, signal: null });
    expect(metrics.stderr).toMatch(oneLine(`METRICS_PORT ${PORT} on 127.0.0.1 is in use: stop`));
    await expectNoStart({ DATA_DIR: 'other', PORT }, `PORT ${PORT} on 127.0.0.1 is in use: stop`);
    await expectNoStart(
      { DATA_DIR: 'other', HOST: '192.0.2.1' },
      'HOST 192.0.2.1 is no address of this machine',
    );
    expect(await first.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    await expectNoStart({ SECRET_KEY }, 'SECRET_KEY is not the one that the signing keys');
  });

  it('generates no new secret next to a database that requires the lost one', async () => {
    const first = await start({ PORT: '0' });
    await first.ready();
    await first.kill('SIGTERM');
    const path = join(folder, 'data/secret.key');
    const secret = readFileSync(path);
    rmSync(path);
    const line = `SECRET_KEY is unset and ${path} is missing`;
    await expectNoStart({}, line);
    const command = await runPluto(['app', 'list'], { env: {}, cwd: folder });
    expect([command.code, command.stdout]).toEqual([1, '']);
    expect(command.stderr).toMatch(oneLine(line));
    expect(existsSync(path)).toBe(false);
    writeFileSync(path, secret);
    await (await start({ PORT: '0' })).ready();
  });
});

describe('a server whose port is taken at its first start', () => {
  it('still prints the generated password', async () => {
    const PORT = await freePort();
    const other = await start({ PORT, DATA_DIR: 'other' });
    await other.ready();
    const failed = await start({ PORT });
    expect(await failed.exited).toEqual({ code: 1, signal: null });
    const password = /^\S+/.exec(failed.told('Password'))![0];
    const server = await start({ PORT: await freePort() });
    const client = await server.ready();
    expect(server.findTold('Password')).toBeNull();
    expect((await loginAs(client, 'admin', password)).status).toBe(200);
  });
});

describe('a server that is stopped', () => {
  it('answers the requests in progress', async () => {
    const server = await start({ PORT: await freePort(), RATE_LIMIT: 'false' });
    const client = await server.ready();
    const PARALLEL = 60;
    // Opens the connections first: connections without a request may be closed.
    await Promise.all(Array.from({ length: PARALLEL }, () => client.get('/health/live')));
    const answers = Array.from({ length: PARALLEL }, () => loginAs(client, 'admin', 'not the password'));
    await Promise.race(answers);
    await sleep(150);
    const ended = server.kill('SIGTERM');
    expect((await Promise.all(answers)).map(({ code }) => code)).toEqual(answers.map(() => 3001));
    expect(await ended).toEqual({ code: 0, signal: null });
  });
});

describe('a server that is killed while people register', () => {
  const BEFORE_THE_KILL = 25;

  it('keeps every registration that it confirmed, and its mail', async () => {
    const env = { PORT: await freePort(), RATE_LIMIT: 'false' };
    const server = await start(env);
    const client = await server.ready();
    const confirmed: TestAccount[] = [];
    const lanes = Array.from({ length: 8 }, async () => {
      for (;;) {
        const account = registration();
        const answer = await client.post('/v1/user/register', account).catch(() => null);
        if (!answer) return;
        expect(answer.text).toContain('"status":"ok"');
        confirmed.push(account);
      }
    });
    await eventually(() => confirmed.length >= BEFORE_THE_KILL, 'a burst of registrations', 30_000);
    expect(await server.kill('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
    await Promise.all(lanes);
    await inDatabase({ kind: 'sqlite', path: join(folder, 'data/pluto.db') }, async (dataSource) => {
      // Claimed mails are retried once the claim has expired: let it expire now.
      await dataSource.query('UPDATE mails SET claimed_until = 1 WHERE claimed_until IS NOT NULL');
    });

    const again = await (await start(env)).ready();
    const mailbox = new Mailbox(join(folder, 'data/outbox'));
    for (const { mail, password } of confirmed) {
      // Recognised by the right password: its mail is not confirmed yet.
      expect((await loginAs(again, mail, password)).code).toBe(2003);
      await mailbox.waitFor(mail);
    }
    const last = confirmed.at(-1)!;
    expect((await again.submit(await mailbox.linkTo(last.mail))).status).toBe(200);
    expect((await loginAs(again, last.mail, last.password)).status).toBe(200);
  });
});
