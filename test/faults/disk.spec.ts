import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { dataSourceOptions } from '../../src/database/data-source-options.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { registration, type Tokens } from '../support/accounts.js';
import { builtServer } from '../support/built.js';
import type { Client } from '../support/client.js';
import { onDisk } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { linkIn, Mailbox } from '../support/mailbox.js';
import { ServerProcess } from '../support/server-process.js';
import { PASSWORD, SERVER_ENV } from './support/server.js';

/** A PNG of one pixel. */
const PICTURE =
  'data:image/png;base64,' +
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

let folder: string;
let dataDir: string;
let mounted: string[];
beforeAll(() => builtServer(), 180_000);
beforeEach(() => {
  folder = mkdtempSync(join(onDisk(), 'pluto-disk-'));
  dataDir = join(folder, 'data');
  mkdirSync(dataDir);
  mounted = [];
});
afterEach(async () => {
  await ServerProcess.killAll();
  for (const place of mounted.reverse()) execFileSync('umount', ['-l', place]);
  rmSync(folder, { recursive: true });
});

const start = (env: Record<string, string> = {}) =>
  ServerProcess.start(folder, { ...SERVER_ENV, DATA_DIR: dataDir, ...env });

/** Mounts a separate disk for DATA_DIR; requires root, as on CI. */
function mountDisk(size: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', dataDir]);
  mounted.push(dataDir);
}

const filler = () => join(dataDir, 'filler');

function fillDisk(): void {
  const block = Buffer.alloc(4096);
  try {
    for (;;) appendFileSync(filler(), block);
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  }
}

async function expectRefusal(reason: RegExp): Promise<void> {
  const server = await start();
  expect(await server.exited).toEqual({ code: 1, signal: null });
  const lines = server.output.trim().split('\n');
  expect(lines).toEqual([expect.stringContaining(`DATA_DIR ${dataDir}`)]);
  expect(lines[0]).toMatch(reason);
}

async function login(client: Client): Promise<Tokens> {
  const body = { account: 'admin@localhost', password: PASSWORD, app_id: 'pluto' };
  const answer = await client.post('/v1/user/login/account', body);
  expect(answer.status).toBe(200);
  return answer.body as Tokens;
}

function refresh(client: Client, { refresh_token }: Tokens) {
  return client.post('/v1/token/refresh', { refresh_token, app_id: 'pluto' });
}

async function inDatabase<T>(work: (dataSource: PlutoDataSource) => Promise<T>): Promise<T> {
  const path = join(dataDir, 'pluto.db');
  const dataSource = new PlutoDataSource(dataSourceOptions({ kind: 'sqlite', path }, [], []));
  await dataSource.initialize();
  try {
    return await work(dataSource);
  } finally {
    await dataSource.destroy();
  }
}

describe('A start is refused in one line that names DATA_DIR', () => {
  it('when its file system is read-only', async () => {
    mountDisk('2m');
    execFileSync('mount', ['-o', 'remount,ro', dataDir]);
    await expectRefusal(/read-only/);
  });

  it('when its disk is full', async () => {
    mountDisk('2m');
    fillDisk();
    await expectRefusal(/the disk is full/);
  });

  it('when its disk becomes full while the database is created', async () => {
    mountDisk('128k');
    await expectRefusal(/full/);
  });

  it('when the database in it cannot be written', async () => {
    const server = await start();
    await server.ready();
    await server.kill('SIGTERM');
    const file = join(dataDir, 'pluto.db');
    execFileSync('mount', ['--bind', file, file]);
    mounted.push(file);
    execFileSync('mount', ['-o', 'remount,ro,bind', file]);
    await expectRefusal(/database cannot be (?:written|opened)/);
  });
});

describe('A disk that becomes full while the server runs', () => {
  it('stops writes, not reads, and loses nothing acknowledged', async () => {
    mountDisk('8m');
    const server = await start({ SKIP_REGISTER_VERIFY_MAIL: 'true' });
    const client = await server.ready();
    const handles: string[] = [];
    const register = async () => {
      const account = registration();
      const answer = await client.post('/v1/user/register', account);
      if (answer.status === 200) handles.push(account.user_id);
      return answer;
    };
    let tokens = await login(client);
    for (let round = 0; round < 5; round++) expect((await register()).status).toBe(200);

    fillDisk();
    let refusal = await refresh(client, tokens);
    for (let round = 0; refusal.status === 200 && round < 5000; round++) {
      tokens = refusal.body as Tokens;
      refusal = await refresh(client, tokens);
    }
    expect(refusal).toMatchObject({ status: 503, code: 1010 });
    expect(refusal.headers.get('retry-after')).not.toBeNull();
    const answers = [];
    for (let round = 0; round < 10; round++) answers.push(await register());
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
    const token = tokens.access_token;
    for (let round = 0; round < 20; round++) {
      expect((await client.get('/v1/user/info', { token })).status).toBe(200);
      expect((await client.get('/health/ready')).status).toBe(200);
    }

    rmSync(filler());
    expect((await refresh(client, tokens)).status).toBe(200);
    for (let round = 0; round < 5; round++) expect((await register()).status).toBe(200);
    expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    await inDatabase(async (dataSource) => {
      expect(await dataSource.query('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
      const rows = await dataSource.query<{ handle: string }[]>('SELECT handle FROM users');
      expect(rows.map(({ handle }) => handle).sort()).toEqual(['admin', ...handles].sort());
    });
    const again = await start();
    expect((await refresh(await again.ready(), tokens)).status).toBe(200);
  });

  it('leaves no partial picture or mail, and sends the mail once there is space again', async () => {
    const path = join(folder, 'database', 'pluto.db');
    mkdirSync(join(folder, 'database'));
    mountDisk('2m');
    const server = await start({ DATABASE_URL: `sqlite:${path}` });
    const client = await server.ready();
    const { access_token: token } = await login(client);
    fillDisk();

    const refusal = await client.put('/v1/user/info', { avatar: PICTURE }, { token });
    expect(refusal).toMatchObject({ status: 503, code: 1010 });
    const account = registration();
    expect((await client.post('/v1/user/register', account)).status).toBe(200);
    await eventually(() => server.stdout.includes('mail not sent'), 'the failure to keep the mail');
    for (const name of ['avatars', 'outbox'])
      if (existsSync(join(dataDir, name))) expect(readdirSync(join(dataDir, name))).toEqual([]);

    rmSync(filler());
    const mailbox = new Mailbox(join(dataDir, 'outbox'));
    const mail = await eventually(
      async () => (await mailbox.to(account.mail))[0],
      'the mail after its pause',
      20_000,
    );
    expect((await client.submit(linkIn(mail))).status).toBe(200);
    const kept = await client.put('/v1/user/info', { avatar: PICTURE }, { token });
    expect(kept.status).toBe(200);
    expect(readdirSync(join(dataDir, 'avatars'))).toEqual([expect.stringMatching(/^[0-9a-f]{32}\.png$/)]);
    expect(readdirSync(join(dataDir, 'outbox'))).toEqual([expect.stringMatching(/\.eml$/)]);
  });
});
