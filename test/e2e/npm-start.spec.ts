import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageDirectory } from '../../src/common/package-directory.js';
import { builtServer } from '../support/built.js';
import { eventually } from '../support/eventually.js';

const { scripts } = JSON.parse(readFileSync(join(packageDirectory, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
const { PATH = '' } = process.env;

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'pluto-npm-start-'))));
afterEach(() => rmSync(folder, { recursive: true }));

describe('npm start', () => {
  it('starts the build, and reports one server and one administrator', async () => {
    const product = await builtServer();
    const builtAt = statSync(product).mtimeMs;
    const env = { PATH, HOME: folder, DATA_DIR: folder, HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'fatal' };
    const npm = spawn('npm', ['start'], { cwd: packageDirectory, env, detached: true });
    const closed = once(npm, 'close');
    let output = '';
    for (const stream of [npm.stdout, npm.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    try {
      await eventually(() => output.includes('Pluto is ready.'), 'the start of the server', 60_000);
    } finally {
      process.kill(-npm.pid!, 'SIGTERM');
      await closed;
    }
    expect(output.split('Pluto is ready.')).toHaveLength(2);
    expect(output.split('  Administrator')).toHaveLength(2);
    expect(output.split('  Password')).toHaveLength(2);
    expect(output).not.toContain('tsc -p');
    expect(statSync(product).mtimeMs).toBe(builtAt);
  });

  describe('with another build', () => {
    const program = 'console.log("served")';
    const LATER = new Date(Date.now() + 60_000);

    beforeEach(() => {
      for (const path of ['src', 'migrations']) mkdirSync(join(folder, path));
      cpSync(join(packageDirectory, 'scripts'), join(folder, 'scripts'), { recursive: true });
      writeFileSync(join(folder, 'src/main.ts'), program);
      const build = 'echo building; mkdir -p dist; cp src/main.ts dist/pluto.js';
      const { prestart, start } = scripts;
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ scripts: { build, prestart, start } }));
    });

    const npmStart = (): string =>
      execFileSync('sh', ['-c', 'npm start 2>&1'], { cwd: folder, env: { PATH, HOME: folder } }).toString();

    it('builds the first time, and then when a source has changed', () => {
      expect(npmStart()).toMatch(/^building$[\s\S]*^served$/m);
      expect(npmStart()).not.toMatch(/^building$/m);
      utimesSync(join(folder, 'src/main.ts'), LATER, LATER);
      expect(npmStart()).toMatch(/^building$[\s\S]*^served$/m);
    });

    it('builds when a source is no longer there', () => {
      writeFileSync(join(folder, 'src/other.ts'), '');
      npmStart();
      expect(npmStart()).not.toMatch(/^building$/m);
      rmSync(join(folder, 'src/other.ts'));
      utimesSync(join(folder, 'src'), LATER, LATER);
      expect(npmStart()).toMatch(/^building$/m);
    });
  });
});
