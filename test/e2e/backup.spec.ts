import { execFileSync } from 'node:child_process';
import fs, {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBackup } from '../../src/cli/backup/create-backup.js';
import { restoreBackup } from '../../src/cli/backup/restore-backup.js';
import { Settings } from '../../src/config/settings.js';
import { lockAgainstServers } from '../../src/database/sqlite/server-lock.js';
import { SqliteConnection } from '../../src/database/sqlite/sqlite-connection.js';
import { completeRestore, isRestorePending } from '../../src/database/sqlite/staged-restore.js';
import type { Client } from '../support/client.js';
import { runPluto } from '../support/command-line.js';
import { freePort, ServerProcess } from '../support/server-process.js';

const ONE_PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const PASSWORD = 'password of the administrator';

/** A server's folder with a picture, and an archive of it that was made while it ran. */
let original: string;
let archive: string;
let folder: string;

beforeAll(async () => {
  original = mkdtempSync(join(tmpdir(), 'pluto-backup-'));
  archive = join(original, 'pluto.tar.gz');
  const server = await start(original);
  const client = await server.ready();
  const { access_token: token } = (await signIn(client)).body as { access_token: string };
  expect((await client.put('/v1/user/info', { avatar: ONE_PIXEL }, { token })).status).toBe(200);
  const made = await pluto(original, 'backup', 'pluto.tar.gz', '--with-secret-key', '--json');
  expect([made.code, made.stderr]).toEqual([0, '']);
  expect(JSON.parse(made.stdout)).toEqual({
    file: archive,
    bytes: statSync(archive).size,
    created_at: expect.any(Number),
    avatars: 1,
    secret_key: true,
  });
  expect(made.database).toBe(join(original, 'data/pluto.db'));
  await server.kill('SIGTERM');
}, 120_000);
afterAll(async () => {
  await ServerProcess.killAll();
  rmSync(original, { recursive: true });
});
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'pluto-restore-'))));
afterEach(async () => {
  jest.restoreAllMocks();
  await ServerProcess.killAll();
  rmSync(folder, { recursive: true });
});

const pluto = (cwd: string, ...args: string[]) => runPluto(args, { env: {}, cwd });
const start = async (cwd: string) =>
  ServerProcess.start(cwd, { PORT: await freePort(), ADMIN_PASSWORD: PASSWORD });
const signIn = (client: Client) =>
  client.post('/v1/user/login/account', { account: 'admin', password: PASSWORD, app_id: 'pluto' });
const dataDir = () => join(folder, 'data');
const settingsOf = (env: Record<string, string> = {}) => Settings.load({ DATA_DIR: dataDir(), ...env });
const restore = (file: string, { force = false, env = {} } = {}) =>
  restoreBackup(settingsOf(env), { file, force });
const backup = (file: string, options: { withSecretKey?: boolean; force?: boolean } = {}) =>
  createBackup(
    { dataDir: join(original, 'data'), databasePath: join(original, 'data/pluto.db') },
    { file, withSecretKey: false, force: false, ...options },
  );
const namesIn = (file: string) =>
  execFileSync('tar', ['-tzf', file], { encoding: 'utf8' }).trim().split('\n');

/** The handles in the database of the folder. */
function handles(): string[] {
  const connection = new SqliteConnection(join(dataDir(), 'pluto.db'));
  try {
    return (connection.prepare('SELECT handle FROM users').all() as { handle: string }[]).map(
      (row) => row.handle,
    );
  } finally {
    connection.close();
  }
}

/** Gives the folder the data of another server: the same with another handle, which is in the log only. */
function otherServer(): void {
  cpSync(join(original, 'data'), dataDir(), { recursive: true });
  const connection = new SqliteConnection(join(dataDir(), 'pluto.db'));
  connection.exec(
    "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; UPDATE users SET handle = 'other'",
  );
  for (const suffix of ['', '-wal'])
    cpSync(join(dataDir(), `pluto.db${suffix}`), join(folder, `copy${suffix}`));
  connection.close();
  for (const suffix of ['', '-wal'])
    cpSync(join(folder, `copy${suffix}`), join(dataDir(), `pluto.db${suffix}`));
}

describe('pluto backup', () => {
  it('writes one private archive that tar lists, of a running server', () => {
    expect(statSync(archive).mode & 0o777).toBe(0o600);
    expect(namesIn(archive)).toEqual([
      'manifest.json',
      'pluto.db',
      'secret.key',
      expect.stringMatching(/^avatars\/[0-9a-f]{32}\.png$/),
    ]);
    expect(readdirSync(original).sort()).toEqual(['data', 'pluto.tar.gz']);
  });

  it('leaves the secret out unless it is asked for', async () => {
    const file = join(folder, 'without.tar.gz');
    expect(await backup(file)).toMatchObject({ file, secret_key: false, avatars: 1 });
    expect(namesIn(file)).not.toContain('secret.key');
    const key = readFileSync(join(original, 'data/secret.key'), 'utf8');
    expect(execFileSync('gzip', ['-dc', file]).includes(key)).toBe(false);
  });

  it('replaces no file, except with --force, and leaves nothing behind', async () => {
    const file = join(folder, 'kept');
    writeFileSync(file, 'kept');
    await expect(backup(file)).rejects.toThrow(`${file} exists: choose another name, or add --force`);
    expect(readFileSync(file, 'utf8')).toBe('kept');
    await backup(file, { force: true });
    expect(namesIn(file)).toContain('pluto.db');
    await expect(backup(join(folder, 'no/such/folder/file'))).rejects.toThrow('ENOENT');
    expect(readdirSync(folder)).toEqual(['kept']);
  });

  it.each(['backup', 'restore'])('names the commands of MySQL and MariaDB instead (%s)', async (command) => {
    const url = (scheme: string) => `${scheme}://ann:hunter2@db.example:3307/accounts`;
    for (const [scheme, program] of [
      ['mysql', command === 'backup' ? 'mysqldump' : 'mysql'],
      ['mariadb', command === 'backup' ? 'mariadb-dump' : 'mariadb'],
    ]) {
      const env = { DATABASE_URL: url(scheme!), SECRET_KEY: 'a secret key of the tests, long enough' };
      const { code, stdout, stderr } = await runPluto([command, 'file'], { env, cwd: folder });
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^DATABASE_URL names a database server, .*\n$/);
      expect(stderr).toMatch(
        new RegExp(`\\b${program} .*--host=db.example --port=3307 --user=ann --password accounts`),
      );
      expect(stderr).not.toContain('hunter2');
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  it('creates no database where there is none', async () => {
    const { code, stderr } = await pluto(folder, 'backup', 'file');
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^DATABASE_URL: the database .* does not exist/),
    ]);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('pluto restore', () => {
  it('makes the same server in an empty folder, which then starts', async () => {
    const restored = await pluto(folder, 'restore', archive);
    expect([restored.code, restored.stderr]).toEqual([0, '']);
    expect(restored.stdout).toMatch(/^restored: .*pluto\.tar\.gz of \d{4}-.*\nStart the server now\.\n$/);
    const server = await start(folder);
    const client = await server.ready();
    expect(server.findTold('Administrator')).toBeNull();
    const { body } = await signIn(client);
    const token = body.access_token as string;
    const info = (await client.get('/v1/user/info', { token })).body as { avatar: string };
    expect((await client.get(new URL(info.avatar).pathname)).status).toBe(200);

    const refused = await pluto(folder, 'restore', archive, '--force');
    expect([refused.code, refused.stdout]).toEqual([1, '']);
    expect(refused.stderr).toMatch(/^DATABASE_URL: another server is running on .*pluto\.db\. Stop it first/);
    expect((await client.get('/v1/user/info', { token })).status).toBe(200);
  });

  it('refuses to replace data, and keeps it in a folder with --force', async () => {
    otherServer();
    await expect(restore(archive)).rejects.toThrow(
      /pluto\.db and .*-wal and .*avatars would be replaced: add --force/,
    );
    expect(handles()).toEqual(['other']);
    const { replaced } = await restore(archive, { force: true });
    expect(handles()).toEqual(['admin']);
    expect(readdirSync(replaced)).toContain('pluto.db');
    expect(isRestorePending(dataDir())).toBe(false);
    expect(readdirSync(dataDir()).filter((name) => name.startsWith('.restore'))).toEqual([]);
  });

  it('without the secret needs the one of the server, and no other', async () => {
    const file = join(folder, 'without.tar.gz');
    await backup(file);
    await expect(restore(file)).rejects.toThrow(/^SECRET_KEY is unset, .* the backup holds none/);
    const other = { SECRET_KEY: 'another secret key, long enough for it' };
    await expect(restore(file, { env: other })).rejects.toThrow(
      /^SECRET_KEY, .* is not the one of the server/,
    );
    expect(existsSync(join(dataDir(), 'pluto.db'))).toBe(false);
    cpSync(join(original, 'data/secret.key'), join(dataDir(), 'secret.key'));
    await restore(file);
    expect(handles()).toEqual(['admin']);
  });

  it('is refused while another process holds the lock of the server', async () => {
    const unlock = lockAgainstServers(join(dataDir(), 'pluto.db'));
    await expect(restore(archive)).rejects.toThrow('another server is running on');
    unlock();
    await restore(archive);
  });

  const BROKEN: [string, (file: string) => void, RegExp][] = [
    ['missing', (file) => rmSync(file), /there is no such file/],
    ['a folder', (file) => (rmSync(file), mkdirSync(file)), /there is no such file/],
    [
      'a text',
      (file) => writeFileSync(file, 'not an archive'),
      /damaged, incomplete or no archive|no backup/,
    ],
    ['empty', (file) => writeFileSync(file, ''), /damaged, incomplete or no archive|no backup/],
    ['cut off', (file) => writeFileSync(file, readFileSync(file).subarray(0, -2000)), /damaged, incomplete/],
    ['cut off early', (file) => writeFileSync(file, readFileSync(file).subarray(0, 60)), /damaged|no backup/],
    ['altered', (file) => repack(file, () => flip(join(folder, 'x/pluto.db'))), /pluto\.db in it is damaged/],
    [
      'without its database',
      (file) => repack(file, () => rmSync(join(folder, 'x/pluto.db'))),
      /not those of its/,
    ],
    [
      'of another kind',
      (file) => repack(file, () => rmSync(join(folder, 'x/manifest.json'))),
      /no backup of Pluto/,
    ],
    ['of another format', (file) => repack(file, () => newFormat(join(folder, 'x'))), /in another format/],
    [
      'with a program in it',
      (file) => repack(file, () => writeFileSync(join(folder, 'x/run.sh'), '')),
      /files that no/,
    ],
    ['with a link in it', (file) => repack(file, () => link(join(folder, 'x'))), /files that no backup has/],
  ];
  it.each(BROKEN)('checks the file first: one that is %s', async (_what, breakIt, message) => {
    otherServer();
    const file = join(folder, 'broken.tar.gz');
    cpSync(archive, file);
    breakIt(file);
    await expect(restore(file, { force: true })).rejects.toThrow(message);
    expect(handles()).toEqual(['other']);
    expect(readdirSync(dataDir()).filter((name) => name.startsWith('.restore'))).toEqual([]);
  });

  function repack(file: string, change: () => void): void {
    const inside = join(folder, 'x');
    mkdirSync(inside);
    execFileSync('tar', ['-xzf', file, '-C', inside]);
    change();
    execFileSync('tar', ['-czf', file, '-C', inside, ...readdirSync(inside)]);
  }

  function flip(file: string): void {
    const bytes = readFileSync(file);
    bytes[5000]! ^= 1;
    writeFileSync(file, bytes);
  }

  function newFormat(inside: string): void {
    const file = join(inside, 'manifest.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('pluto-backup-1', 'pluto-backup-2'));
  }

  function link(inside: string): void {
    rmSync(join(inside, 'secret.key'));
    fs.symlinkSync('/etc/passwd', join(inside, 'secret.key'));
  }
});

describe('a restore that is interrupted', () => {
  const STEPS = ['renameSync', 'rmSync', 'mkdirSync'] as const;

  /** Lets the process die, as far as files are concerned, before a step. @returns whether it came to it */
  async function interruptedAt(step: number): Promise<boolean> {
    let steps = 0;
    for (const name of STEPS) {
      const real = fs[name] as (...parameters: unknown[]) => unknown;
      jest.spyOn(fs, name).mockImplementation(((...parameters: unknown[]) => {
        steps++;
        if (steps >= step) throw new Error('the process died');
        return real(...parameters);
      }) as never);
    }
    const isDone = await restore(archive, { force: true }).then(
      () => true,
      (error: Error) => {
        expect(error.message).toBe('the process died');
        return false;
      },
    );
    jest.restoreAllMocks();
    return !isDone;
  }

  it('leaves the old data, or the new data once it is completed, at every step', async () => {
    const outcomes = new Set<string>();
    for (let step = 1; ; step++) {
      rmSync(dataDir(), { recursive: true, force: true });
      otherServer();
      if (!(await interruptedAt(step))) break;
      const isDecided = isRestorePending(dataDir());
      const unlock = lockAgainstServers(join(dataDir(), 'pluto.db'));
      completeRestore(settingsOf());
      unlock();
      const found = handles();
      outcomes.add(`${isDecided ? 'decided' : 'open'}: ${found.join()}`);
      expect(isRestorePending(dataDir())).toBe(false);
    }
    expect([...outcomes].sort()).toEqual(['decided: admin', 'open: other']);
    expect(handles()).toEqual(['admin']);
  });

  it('stops commands, and is completed by the next start', async () => {
    otherServer();
    let step = 1;
    while (!isRestorePending(dataDir())) {
      rmSync(dataDir(), { recursive: true, force: true });
      otherServer();
      await interruptedAt(step++);
    }
    const command = await pluto(folder, 'app', 'list');
    expect([command.code, command.stdout]).toEqual([1, '']);
    expect(command.stderr).toMatch(
      /^DATA_DIR .* holds a restore that was interrupted: start the server, or restore /,
    );
    const server = await start(folder);
    expect((await signIn(await server.ready())).status).toBe(200);
    expect(isRestorePending(dataDir())).toBe(false);
  });
});
