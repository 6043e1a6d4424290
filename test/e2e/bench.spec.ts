import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { builtBench, builtServer } from '../support/built.js';

interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

interface Report {
  scenarios: {
    name: string;
    ratio: number;
    requestsPerSecond: number;
    p50Ms: number;
    p99Ms: number;
    cpuMicrosPerRequest: number;
    memoryMb: number;
    error?: string;
    rounds: unknown[];
  }[];
  checks: { name: string; figure: number; error?: string }[];
}

/** With a folder for temporary files of its own, in which nothing may be left. */
async function runBench(file: string, args: string[], folder: string): Promise<Run> {
  const { PATH = '' } = process.env;
  const env = { PATH, TMPDIR: folder, DATA_DIR: join(folder, 'data') };
  const main = await builtBench();
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(dirname(main), file), ...args],
      { env, cwd: folder },
      (_, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

const BUILD_MS = 240_000;

beforeAll(async () => {
  await builtServer();
  await builtBench();
}, BUILD_MS);

describe('npm run bench', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pluto-test-bench-'));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('measures, prints a table, writes JSON and leaves nothing behind', async () => {
    const json = join(folder, 'results.json');
    const options =
      '--rounds 1 --seconds 1 --only verify-repeated,publickey,framework --accounts 50 --database sqlite';
    const { code, stdout, stderr } = await runBench(
      'main.js',
      [...options.split(' '), '--json', json],
      folder,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('FAILED') });
    expect(stdout).toMatch(/^sqlite verify-repeated +\d+ /m);
    expect(stderr).toContain('round 1 of 1, publickey');

    const { scenarios, checks } = JSON.parse(readFileSync(json, 'utf8')) as Report;
    expect(scenarios.map(({ name }) => name)).toEqual(['verify-repeated', 'publickey']);
    for (const scenario of scenarios) {
      expect(scenario.error).toBeUndefined();
      expect(scenario.rounds).toHaveLength(1);
      expect(scenario.ratio).toBeGreaterThan(0);
      expect(scenario.requestsPerSecond).toBeGreaterThan(0);
      expect(scenario.p50Ms).toBeGreaterThan(0);
      expect(scenario.p99Ms).toBeGreaterThanOrEqual(scenario.p50Ms);
      expect(scenario.cpuMicrosPerRequest).toBeGreaterThan(0);
      expect(scenario.memoryMb).toBeGreaterThan(0);
    }
    const framework = checks.find(({ name }) => name === 'Nest by itself, of bare Fastify');
    expect(framework?.error).toBeUndefined();
    expect(framework?.figure).toBeGreaterThan(0);
    expect(readdirSync(folder)).toEqual(['results.json']);
  });

  it.each([
    ['--nonsense', /^Unknown option '--nonsense'.*\n$/],
    ['--only=nonsense', /^--only takes .*, not nonsense\n$/],
    ['--rounds=0', /^--rounds takes a whole number from 1\n$/],
    ['--database=oracle', /^--database takes sqlite, mariadb or all\n$/],
  ])('refuses %s in one line', async (option, message) => {
    const { code, stdout, stderr } = await runBench('main.js', [option], folder);
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: expect.stringMatching(message) });
  });
});

describe('npm run bench:seed', () => {
  it('adds accounts to those that there are, and tells the password of all', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pluto-test-bench-'));
    try {
      const first = await runBench('seed.js', ['--accounts', '30'], folder);
      expect(first.code).toBe(0);
      expect(first.stdout).toContain('The first administrator is made.');
      expect(first.stdout).toMatch(
        /^30 accounts added to sqlite in .*, numbers 2 to 31; the password is `bench password`$/m,
      );
      expect(first.stderr).toContain('accounts 100 %  30 of 30');
      const second = await runBench('seed.js', ['--accounts', '20'], folder);
      expect(second.stdout).toMatch(/^20 accounts added to sqlite in .*, numbers 32 to 51; /);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('refuses what is no number in one line', async () => {
    const { code, stderr } = await runBench('seed.js', ['--accounts', 'many'], tmpdir());
    expect({ code, stderr }).toEqual({ code: 2, stderr: '--accounts takes a whole number from 1\n' });
  });
});
