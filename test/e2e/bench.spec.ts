import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageDirectory } from '../../src/common/package-directory.js';

const main = join(packageDirectory, 'bench/main.mjs');
const options = '--database sqlite --rounds 1 --seconds 1 --accounts 50 --only publickey';

interface Results {
  sides: { label: string }[];
  scenarios: Record<
    string,
    { rounds: { limit: number; sides: { perSecond: number; cpuMicros: number }[] }[] }
  >;
}

describe('npm run bench', () => {
  it('compares two builds, prints their ratio, and leaves nothing behind', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pluto-test-bench-'));
    try {
      const json = join(folder, 'results.json');
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [main, ...options.split(' '), '--against', packageDirectory, '--json', json],
        { env: { PATH: process.env.PATH, TMPDIR: folder } },
      );
      expect(stdout).toMatch(/^ {2}publickey +this build +\d+ .* \d\.\d\d route +\d+\.\d\d /m);
      const [{ sides, scenarios }] = JSON.parse(readFileSync(json, 'utf8')) as [Results];
      expect(sides.map(({ label }) => label)).toEqual(['this build', 'other build']);
      expect(Object.keys(scenarios)).toEqual(['publickey']);
      for (const { rounds } of Object.values(scenarios)) {
        expect(rounds).toHaveLength(1);
        expect(rounds[0]!.limit).toBeGreaterThan(0);
        for (const side of rounds[0]!.sides) expect(side.perSecond * side.cpuMicros).toBeGreaterThan(0);
      }
      expect(readdirSync(folder)).toEqual(['results.json']);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
