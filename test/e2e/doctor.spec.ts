import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isSupported, judgeClock } from '../../src/cli/doctor/database-checks.js';
import { describeFinding, type Finding } from '../../src/cli/doctor/finding.js';
import { checkDataDirectory, checkNode } from '../../src/cli/doctor/machine-checks.js';
import { describeDatabase } from '../../src/config/database-url.js';
import { Settings } from '../../src/config/settings.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { environmentOf, runPluto } from '../support/command-line.js';
import { FakeGoogle } from '../support/google.js';
import { freePort } from '../support/server-process.js';
import { SmtpServer } from '../support/smtp.js';

/** Nobody listens on port 1, and only root may. */
const NOBODY = '127.0.0.1:1';

let app: TestApp;
let smtp: SmtpServer;
let google: FakeGoogle;
let stranger: Server;
let folder: string;
beforeAll(async () => {
  [app, smtp, google] = await Promise.all([
    startTestApp(),
    SmtpServer.start({ login: { user: 'ann', password: 'sesame' } }),
    FakeGoogle.start(),
  ]);
  stranger = createServer((_request, response) => response.end('{"keys":[{"kid":"another"}]}')).listen(
    0,
    '127.0.0.1',
  );
  await once(stranger, 'listening');
  folder = mkdtempSync(join(tmpdir(), 'pluto-doctor-'));
});
afterAll(async () => {
  await Promise.all([app.close(), smtp.close(), google.close()]);
  stranger.close();
  rmSync(folder, { recursive: true });
});

interface Report {
  code: number | null;
  stderr: string;
  ok: boolean;
  checks: Finding[];
}

async function examine(env: Record<string, string>, cwd = folder): Promise<Report> {
  const { code, stdout, stderr } = await runPluto(['doctor', '--json'], { env, cwd });
  return { code, stderr, ...(JSON.parse(stdout) as Pick<Report, 'ok' | 'checks'>) };
}

const whole = () => ({
  ...environmentOf(app),
  PUBLIC_URL: app.url,
  SMTP_URL: smtp.url,
  MAIL_FROM: 'no-reply@example.com',
  ...google.env,
});
/** Of the checks that can fail on the machine of a test; Node's version and the disk are the machine's. */
const resultsOf = ({ checks }: Report) =>
  Object.fromEntries(
    checks.filter(({ name }) => !['node', 'data_dir'].includes(name)).map((one) => [one.name, one]),
  );

describe('pluto doctor', () => {
  it('finds a whole server well, in one line for each check', async () => {
    const { code, stdout, stderr } = await runPluto(['doctor'], { env: whole(), cwd: folder });
    expect(stderr).toBe('');
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => line.split(/ +/)[1])).toEqual([
      ...['node', 'settings', 'data_dir', 'database', 'migrations', 'clock', 'secret_key'],
      ...['smtp', 'public_url', 'google'],
    ]);
    for (const line of lines) expect(line).toMatch(/^(ok|warning) /);
    expect(code).toBe(0);
    expect(stdout).toContain(`${describeDatabase(app.settings.database)} answers, `);
    expect(stdout).not.toContain('sesame');
  });

  it('fails with one line and a remedy for each fault, and shows no secret', async () => {
    const report = await examine({
      ...whole(),
      SECRET_KEY: 'another secret key, long enough for it',
      SMTP_URL: smtp.url.replace('sesame', 'hunter2'),
      REDIS_URL: `redis://:hunter3@${NOBODY}`,
      PUBLIC_URL: `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`,
      GOOGLE_JWKS_URL: `http://127.0.0.1:${await freePort()}/keys`,
      SMTPURL: 'hunter4',
    });
    expect([report.code, report.ok]).toEqual([1, false]);
    expect(resultsOf(report)).toMatchObject({
      database: { status: 'ok' },
      migrations: { status: 'ok' },
      clock: { status: 'ok' },
      secret_key: { status: 'failed', detail: 'SECRET_KEY does not open the signing keys' },
      smtp: {
        status: 'failed',
        detail: expect.stringContaining('EAUTH 535'),
        remedy: expect.stringMatching(/password/),
      },
      redis: { status: 'failed', detail: expect.stringMatching(/unreachable \(.*ECONNREFUSED/) },
      public_url: {
        status: 'failed',
        detail: expect.stringContaining('leads to a server of another database'),
      },
      google: { status: 'failed', detail: expect.stringMatching(/unreachable \(.*ECONNREFUSED/) },
    });
    expect(report.checks).toContainEqual({
      name: 'settings',
      status: 'warning',
      detail: 'SMTPURL is not a setting and is ignored: did you mean SMTP_URL?',
      remedy: 'correct or remove it',
    });
    for (const { status, remedy } of report.checks) if (status !== 'ok') expect(remedy).not.toBe('');
    expect(JSON.stringify(report)).not.toMatch(/hunter/);
  });

  it.each([
    [
      'a mail server that is unreachable',
      { SMTP_URL: `smtp://${NOBODY}` },
      'smtp',
      /127\.0\.0\.1:1 cannot be used \(/,
    ],
    [
      'a PUBLIC_URL that nobody serves',
      { PUBLIC_URL: `http://${NOBODY}` },
      'public_url',
      /is unreachable or not Pluto/,
    ],
    [
      'a database that is unreachable',
      { DATABASE_URL: `mysql://a:b@${NOBODY}/c` },
      'database',
      /is unreachable/,
    ],
  ])('names %s', async (_what, change, name, detail) => {
    const report = await examine({ ...whole(), ...change });
    expect(report.code).toBe(1);
    const bad = report.checks.filter(({ status }) => status === 'failed');
    expect(bad).toEqual([
      { name, status: 'failed', detail: expect.stringMatching(detail), remedy: expect.any(String) },
    ]);
  });

  it('reports all faults of settings', async () => {
    const report = await examine({ PORT: 'eighty', DATABASE_URL: 'postgres://ann:hunter2@db/pluto' });
    expect(report.code).toBe(1);
    const faults = report.checks.filter(({ name }) => name === 'settings');
    expect(faults.map(({ detail }) => detail.split(' ')[0]).sort()).toEqual(['DATABASE_URL', 'PORT']);
    expect(JSON.stringify(report)).not.toContain('hunter2');
  });

  it('creates nothing where no server is', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'pluto-doctor-'));
    const report = await examine({ PUBLIC_URL: app.url }, empty);
    expect(report.code).toBe(1);
    const bad = report.checks.filter(({ status }) => status === 'failed').map(({ name }) => name);
    expect(bad).toEqual(['data_dir', 'database']);
    expect(readdirSync(empty)).toEqual([]);
    rmSync(empty, { recursive: true });
  });
});

describe('a check of pluto doctor', () => {
  const at = (date: string) => Date.parse(date);

  it.each([
    ['20.19.0', '2025-06-01', 'ok'],
    ['20.19.0', '2026-03-01', 'warning'],
    ['20.19.0', '2026-06-01', 'warning'],
    ['22.12.0', '2026-06-01', 'ok'],
    ['24.1.0', '2026-06-01', 'ok'],
    ['24.1.0', '2028-06-01', 'warning'],
    ['23.5.0', '2025-06-01', 'warning'],
    ['30.0.0', '2028-06-01', 'ok'],
  ])('judges Node %s on %s: %s', (version, date, status) => {
    const finding = checkNode(version, at(date));
    expect(finding.status).toBe(status);
    expect(finding.remedy).toBe(status === 'ok' ? '' : 'install Node 24');
  });

  it.each([
    ['10.11.6-MariaDB-log', true],
    ['10.6.0-MariaDB', true],
    ['10.5.27-MariaDB', false],
    ['11.4.2-MariaDB', true],
    ['8.0.36', true],
    ['9.1.0', true],
    ['5.7.44-log', false],
  ])('judges the database version %s: %s', (version, isGood) => {
    expect(isSupported(version)).toBe(isGood);
  });

  it.each([
    [0, 'ok'],
    [1999, 'ok'],
    [-2000, 'ok'],
    [2001, 'failed'],
    [-7_200_000, 'failed'],
  ])('judges a clock that is %d ms ahead: %s', (ahead, status) => {
    expect(judgeClock(ahead).status).toBe(status);
  });

  it.each([
    [5 * 1024 ** 3, 'ok'],
    [500 * 1024 ** 2, 'warning'],
    [50 * 1024 ** 2, 'failed'],
  ])('judges a disk with %d free bytes: %s', (free, status) => {
    expect(checkDataDirectory(Settings.load({ DATA_DIR: folder }), () => free).status).toBe(status);
  });

  it('is one line, also if a reason has several', () => {
    const finding: Finding = { name: 'smtp', status: 'failed', detail: 'a\n  b', remedy: 'c' };
    expect(describeFinding(finding)).toBe('failed   smtp        a b: c');
  });
});
