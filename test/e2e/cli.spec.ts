import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppleGrant } from '../../src/auth/providers/apple/apple-grant.entity.js';
import { nowSeconds } from '../../src/common/time.js';
import { describeDatabase } from '../../src/config/database-url.js';
import { Mail } from '../../src/mail/mail.entity.js';
import { MailWorker } from '../../src/mail/mail.worker.js';
import { login, registration } from '../support/accounts.js';
import { openSession } from '../support/sessions.js';
import { ADMIN, startTestApp, type TestApp } from '../support/app.js';
import { addApplication, type TestApplication } from '../support/applications.js';
import { environmentOf, runPluto, type Outcome } from '../support/command-line.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { expectOk } from '../support/expectations.js';
import { decodeToken } from '../support/tokens.js';
import { addUser } from '../support/users.js';

/** Independent commands run concurrently, since each has to load all modules. */
const together = (...outcomes: Promise<Outcome>[]) => Promise.all(outcomes);

function expectDone({ code, stdout, stderr }: Outcome, text: unknown): void {
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: text, stderr: '' });
}

/** Asserts a failure reported in one readable line, without a stack or other output. */
function expectRefused({ code, stdout, stderr }: Outcome, line: unknown): void {
  expect({ code, stdout, lines: stderr.split('\n') }).toEqual({ code: 1, stdout: '', lines: [line, ''] });
}

/** Rows of a printed table, each cell without the blanks around it. */
function rowsOf({ stdout }: Outcome): string[][] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));
}

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

describe('pluto beside a running server', () => {
  let app: TestApp;
  let desk: TestApplication;
  beforeAll(async () => {
    app = await startTestApp({ sendMails: false });
    desk = await addApplication(app, {
      name: 'org.example.desk',
      roles: { guest: ['look'], agent: ['write'] },
    });
  });
  afterAll(() => app.close());

  const pluto = (args: string[], input = '') =>
    runPluto(args, { env: environmentOf(app), cwd: app.dataDir, input });

  it('names the database that it works on, without credentials', async () => {
    const { database } = app.settings;
    const outcome = await pluto(['app', 'list']);
    expect(outcome.database).toBe(describeDatabase(database));
    if (database.kind === 'sqlite') return expect(outcome.database).toBe(database.path);
    const { hostname, pathname, password } = new URL(database.url);
    expect(outcome.database).toMatch(new RegExp(`//${hostname}:\\d+${pathname}$`));
    expect(password === '' || !outcome.database!.includes(password)).toBe(true);
  });

  it('admin create makes administrators who can sign in at once', async () => {
    const password = 'chosen, with blanks and ünïcode';
    const [generated, chosen] = await together(
      pluto(['admin', 'create', 'ann@example.com', '--handle', 'ann', '--name', ' Ann Ännchen ']),
      pluto(['admin', 'create', 'bob@example.com', '--handle', 'bob', '--password-stdin'], `${password}\n`),
    );
    expectDone(
      generated!,
      expect.stringMatching(/^administrator \d+ created: ann@example\.com\npassword .*: \S{20}\n$/),
    );
    expectDone(chosen!, expect.stringMatching(/^administrator \d+ created: bob@example\.com\n$/));
    const given = /: (\S{20})\n$/.exec(generated!.stdout)![1]!;
    for (const account of [
      { mail: 'ann@example.com', password: given },
      { mail: 'bob@example.com', password },
    ]) {
      const { access_token: token } = await login(app, account);
      expect(decodeToken(token).claims.scopes).toContain('pluto.admin');
      expectOk(await app.client.get('/v1/user/summary', { token }));
    }
    const [ann] = await app.dataSource.query<{ name: string }[]>(
      "SELECT name FROM users WHERE handle = 'ann'",
    );
    expect(ann?.name).toBe('Ann Ännchen');
  });

  it('admin create refuses what is taken or too short, in one line', async () => {
    const before = await app.dataSource.query('SELECT id FROM users ORDER BY id');
    const [taken, short] = await together(
      pluto(['admin', 'create', ADMIN.mail.toUpperCase(), '--handle', 'other']),
      pluto(['admin', 'create', 'other@example.com', '--handle', 'other', '--password-stdin'], 'short\n'),
    );
    expectRefused(taken!, 'Mail is already been registered');
    expectRefused(short!, 'the password must be at least 8 characters and at most 1024 bytes long');
    expect(await app.dataSource.query('SELECT id FROM users ORDER BY id')).toEqual(before);
  });

  it('admin list and app list show what there is', async () => {
    const [admins, apps] = await together(pluto(['admin', 'list']), pluto(['app', 'list']));
    expectDone(admins!, expect.any(String));
    expect(rowsOf(admins!)).toEqual(
      expect.arrayContaining([
        ['ID', 'MAIL', 'HANDLE', 'NAME', 'CREATED'],
        ['1', ADMIN.mail, 'admin', 'Administrator', TIME],
      ]),
    );
    expectDone(apps!, expect.any(String));
    expect(rowsOf(apps!)).toEqual([
      ['ID', 'NAME', 'DEFAULT ROLE', 'CREATED'],
      [expect.any(String), 'pluto', expect.stringMatching(/^\d+$/), TIME],
      [String(desk.id), desk.name, String(desk.roles.guest), TIME],
    ]);
  });

  it('app create and role assign refuse what is taken or unknown, in one line', async () => {
    const [taken, unknown] = await together(
      pluto(['app', 'create', 'ORG.example.desk']),
      pluto(['role', 'assign', desk.name, 'agent', 'nobody@example.com']),
    );
    expectRefused(taken!, 'Application already exists');
    expectRefused(unknown!, 'org.example.desk has no account nobody@example.com');
  });

  it('role assign gives a role that the next token carries, role scopes refuses a default that it does not set', async () => {
    const handle = 'desk-clerk';
    const userId = await addUser(app, { applicationId: desk.id, handle });
    const [assigned, refused] = await together(
      pluto(['role', 'assign', desk.name, 'AGENT', handle]),
      pluto(['role', 'scopes', desk.name, 'guest', 'write', '--default', 'look']),
    );
    expectDone(assigned!, `${handle} now has the role agent\n`);
    const { accessToken } = await openSession(app, userId, desk.name);
    expect(decodeToken(accessToken).claims.scopes).toEqual(['write']);

    expectRefused(refused!, 'look cannot be the default: it is not among the scopes');
    const { body } = await app.client.get(`/v1/rbac/role/list?app_id=${desk.id}`);
    expect(body.roles[0]).toMatchObject({ name: 'guest', scopes: [{ name: 'look' }] });
  });

  it('role default and role scopes refuse to make everybody an administrator, in one line', async () => {
    const refusal = 'Operation Forbidden: the default role of pluto must not have pluto.admin';
    const refused = await together(
      pluto(['role', 'default', 'pluto', 'admin']),
      pluto(['role', 'scopes', 'pluto', 'user', 'pluto.user', 'pluto.admin', '--default', 'pluto.user']),
    );
    for (const run of refused) expectRefused(run, refusal);
    const { body } = await app.client.get('/v1/rbac/role/list?app_id=1');
    const { application, roles } = body as {
      application: { default_role: number };
      roles: { id: number; name: string; scopes: { name: string }[] }[];
    };
    const everybodys = roles.find(({ id }) => id === application.default_role);
    expect(everybodys).toMatchObject({ name: 'user', scopes: [{ name: 'pluto.user' }] });
  });

  it('keys rotate makes the next key, and keys list shows it', async () => {
    for (const time of ['tomorrow', '2020-01-01T00:00:00Z', new Date().toISOString()])
      expect((await pluto(['keys', 'rotate', '--keep-public-key', time])).stderr).toContain(
        'It must be a time',
      );
    const { body: published } = await app.client.get('/v1/token/publickey');
    const planned = new Date(Date.now() + 86_400_000).toISOString();
    const rotated = await pluto(['keys', 'rotate', '--keep-public-key', planned]);
    expect([rotated.code, rotated.stderr]).toEqual([0, expect.stringContaining('/v1/token/publickey')]);
    expect((await app.client.get('/v1/token/publickey')).body).toEqual(published);
    expect(rowsOf(rotated)).toEqual([
      ['KID', 'STATE', 'CREATED', 'SIGNS FROM', 'VERIFIES UNTIL'],
      [expect.any(String), 'next', TIME, TIME, '-'],
      [expect.any(String), 'signing', TIME, TIME, TIME],
    ]);
    expectDone(await pluto(['keys', 'list']), rotated.stdout);
    await login(app, ADMIN);
  });

  it('keys activate changes when the next key signs, and warns again', async () => {
    const [header, next] = rowsOf(await pluto(['keys', 'list']));
    const activated = await pluto(['keys', 'activate', '--lead', '3600']);
    const rows = rowsOf(activated);
    expect(rows.slice(0, 2)).toEqual([header, [next![0], 'next', next![2], TIME, '-']]);
    expect(rows[1]![3]! < next![3]!).toBe(true);
    expect(activated).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(`From ${rows[1]![3]} on [^]* PlutoJavaServerSDK, refuse all new tokens`),
    });
    await app.dataSource.query('UPDATE signing_keys SET signs_from = signs_from - 3600');
    expectRefused(await pluto(['keys', 'activate']), 'no key is waiting to sign');
  });

  it('mail list shows the mails that were given up, mail retry queues them for the server', async () => {
    const account = registration();
    expectOk(await app.client.post('/v1/user/register', account));
    const { manager } = app.dataSource;
    const failed = { state: 'failed', attempts: 9, lastError: '550 no such mailbox' } as const;
    await manager.update(Mail, { recipient: account.mail }, failed);
    const { id } = await manager.findOneByOrFail(Mail, { recipient: account.mail });

    const listed = await pluto(['mail', 'list', '--failed']);
    expect(rowsOf(listed)).toEqual([
      ['ID', 'STATE', 'TEMPLATE', 'TO', 'ATTEMPTS', 'NEXT', 'LAST ERROR'],
      [String(id), 'failed', 'verify-mail', account.mail, '9', '-', '550 no such mailbox'],
    ]);
    const [retried, unknown] = await together(
      pluto(['mail', 'retry', String(id)]),
      pluto(['mail', 'retry', '999']),
    );
    expectDone(retried!, `mail ${id} is queued\n`);
    expect([unknown!.code, unknown!.stdout]).toEqual([1, expect.stringContaining('mail 999 is not queued')]);
    app.app.get(MailWorker).start();
    await app.client.submit(await app.mailbox.linkTo(account.mail));
    await login(app, account);
  });

  it('apple list shows the consents that Apple has not revoked yet, apple drop gives one up', async () => {
    const nextAttemptAt = nowSeconds() + 60;
    const { id } = await app.dataSource.manager.save(AppleGrant, {
      applicationId: desk.id,
      identityId: null,
      clientId: 'org.example.desk',
      subjectHash: 'a hash',
      sealedRefreshToken: 'v1.sealed',
      attempts: 3,
      nextAttemptAt,
      lastError: 'Apple: client refused: invalid_client',
      createdAt: nextAttemptAt - 600,
    });
    const [listed, unknown] = await together(
      pluto(['apple', 'list']),
      pluto(['apple', 'drop', String(id + 1)]),
    );
    expect(rowsOf(listed!)).toEqual([
      ['ID', 'APP', 'CLIENT', 'ATTEMPTS', 'NEXT', 'LAST ERROR'],
      [String(id), String(desk.id), 'org.example.desk', '3', TIME, 'Apple: client refused: invalid_client'],
    ]);
    expectRefused(unknown!, expect.stringContaining(`no pending revocation with the ID ${id + 1}`));
    expectDone(await pluto(['apple', 'drop', String(id)]), `revocation ${id} dropped\n`);
    expectDone(await pluto(['apple', 'list']), 'No pending revocations.\n');
  });
});

describe('pluto on a database of its own', () => {
  let dataDir: string;
  let database: TestDatabase;
  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'pluto-cli-'));
    database = await createTestDatabase();
  });
  afterAll(async () => {
    await database.drop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  it('creates nothing, wherever it runs', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'pluto-cli-'));
    const empty = join(cwd, 'empty.db');
    writeFileSync(empty, '');
    const commands = [
      ['app', 'list'],
      ['admin', 'create', 'a@b.example', '--handle', 'a'],
      ['keys', 'rotate'],
    ];
    const outcomes = await together(
      ...commands.map((args) => runPluto(args, { env: {}, cwd })),
      runPluto(['app', 'list'], { env: { DATABASE_URL: `sqlite:${empty}` }, cwd }),
    );
    const missing = `DATABASE_URL: the database ${join(cwd, 'data/pluto.db')} does not exist. `;
    for (const outcome of outcomes.slice(0, 3)) expectRefused(outcome, expect.stringContaining(missing));
    expectRefused(
      outcomes[3]!,
      expect.stringContaining(`${empty} holds no tables. Only the server creates it`),
    );
    expect(readdirSync(cwd)).toEqual(['empty.db']);
    rmSync(cwd, { recursive: true });
  });

  it('creates no tables in an empty database', async () => {
    const settings = { database: database.database, secretKey: 'a secret key of the tests, long enough' };
    const outcome = await runPluto(['app', 'create', 'org.example.none'], {
      env: environmentOf({ dataDir, settings }),
      cwd: dataDir,
    });
    expectRefused(
      outcome,
      expect.stringMatching(/^DATABASE_URL.*only the server|Only the server creates it/i),
    );
    expect(readdirSync(dataDir)).toEqual([]);
  });

  it('makes an application with roles and scopes that the server then serves', async () => {
    const settings = { database: database.database, secretKey: 'a secret key of the tests, long enough' };
    const env = environmentOf({ dataDir, settings });
    const pluto = (...args: string[]) => runPluto(args, { env, cwd: dataDir });
    const name = 'org.example.first';
    const place = { dataDir, settings } as unknown as Pick<TestApp, 'dataDir' | 'settings'>;
    const on = { ...place, close: () => Promise.resolve() };
    await (await startTestApp({ on })).stop();
    expectDone(await pluto('app', 'create', ` ${name} `), `application 2 created: ${name}\n`);
    const [scope, role] = await together(
      pluto('scope', 'create', name, 'write'),
      pluto('role', 'create', name.toUpperCase(), 'editor'),
    );
    expectDone(scope!, expect.stringMatching(/^scope \d+ created: write\n$/));
    expectDone(role!, expect.stringMatching(/^role \d+ created: editor\n$/));
    expectDone(
      await pluto('role', 'scopes', name, 'editor', 'write', '--default', 'write'),
      expect.any(String),
    );
    const asDefault = await pluto('role', 'default', name, 'editor');
    expectDone(asDefault, expect.any(String));
    expect(rowsOf(asDefault)).toEqual([
      ['ID', 'ROLE', 'SCOPES'],
      [expect.stringMatching(/^\d+$/), 'editor *', 'write *'],
    ]);

    const app = await startTestApp({ on });
    await login(app, ADMIN);
    const userId = await addUser(app, { applicationId: 2 });
    const { accessToken } = await openSession(app, userId, name);
    expect(decodeToken(accessToken).claims).toMatchObject({ iss: name, scopes: ['write'] });
    await app.stop();
  });
});

describe('pluto as a program', () => {
  let cwd: string;
  beforeAll(() => (cwd = mkdtempSync(join(tmpdir(), 'pluto-cli-'))));
  afterAll(() => rmSync(cwd, { recursive: true, force: true }));

  const pluto = (args: string[], env: Record<string, string> = {}) => runPluto(args, { env, cwd });

  it('shows help, refuses unknown commands, and reports every invalid setting', async () => {
    const [help, unknown, wrong, settings] = await together(
      pluto(['role', '--help']),
      pluto(['rolle', 'list']),
      pluto(['admin', 'create', 'no mail', '--handle', 'ann']),
      pluto(['app', 'list'], { PORT: 'abc', DATABASE_URL: 'postgres://me:pass-word@host/db' }),
    );
    expectDone(help!, expect.stringMatching(/^Usage: pluto role .*assign .* assign a role to an account\n/s));

    expect([unknown!.code, unknown!.stdout]).toEqual([1, '']);
    expect(unknown!.stderr).toMatch(/^error: unknown command 'rolle'$/m);
    expect(unknown!.stderr).toContain('Usage: pluto [options] [command]');

    expect([wrong!.code, wrong!.stdout]).toEqual([1, '']);
    expect(wrong!.stderr).toContain('It must be an email address.');

    expect([settings!.code, settings!.stdout]).toEqual([1, '']);
    expect(settings!.stderr).toMatch(/PORT/);
    expect(settings!.stderr).toMatch(/DATABASE_URL/);
    expect(settings!.stderr).not.toMatch(/pass-word|\n\s+at |Error:/);
    expect(readdirSync(cwd)).toEqual([]);
  });
});
