import { execFile } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { packageDirectory } from '../../src/common/package-directory.js';
import { builtServer } from '../support/built.js';
import { ServerProcess } from '../support/server-process.js';

const moduleUrl = (path: string): string => JSON.stringify(pathToFileURL(join(packageDirectory, path)).href);

/** Loads the script as src/main.ts and dist/pluto.js do, and tells what V8 made of the compiled code. */
const script = (file: string): string => `
  import { keepSpaceForYoungObjects, makeObjectsYoung } from ${moduleUrl('dist/src/young-objects.js')};
  import { loadBundle } from ${moduleUrl('scripts/load-bundle.mjs')};
  keepSpaceForYoungObjects();
  makeObjectsYoung();
  const { script, exports } = loadBundle(${JSON.stringify(file)});
  console.log(JSON.stringify({ start: typeof exports.start, rejected: script.cachedDataRejected ?? null }));
`;

it('is made of a strict script, as the modules are that it was made of', async () => {
  await builtServer();
  const source = readFileSync(join(packageDirectory, 'dist/server.cjs'), 'latin1');
  expect(source).toMatch(/^\(function \([^)]*\) \{"use strict";/);
}, 180_000);

describe('what V8 has compiled at the build', () => {
  let folder: string;
  let file: string;

  beforeAll(() => builtServer(), 180_000);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pluto-code-'));
    mkdirSync(join(folder, 'dist'));
    for (const path of ['node_modules', 'views', 'package.json', 'dist/src'])
      symlinkSync(join(packageDirectory, path), join(folder, path));
    for (const path of ['dist/pluto.js', 'dist/server.cjs', 'dist/server.cjs.cache'])
      copyFileSync(join(packageDirectory, path), join(folder, path));
    file = join(folder, 'dist/server.cjs');
  });
  afterEach(async () => {
    await ServerProcess.killAll();
    rmSync(folder, { recursive: true });
  });

  async function load(
    flags: string[] = flagsOfStart(),
  ): Promise<{ start: string; rejected: boolean | null }> {
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...flags,
      '--input-type=module',
      '--eval',
      script(file),
    ]);
    return JSON.parse(stdout) as Awaited<ReturnType<typeof load>>;
  }

  function change(path: string, work: (content: Buffer) => Buffer): void {
    writeFileSync(path, work(readFileSync(path)));
  }

  it('is taken with the flags of npm start', async () => {
    expect(await load()).toEqual({ start: 'function', rejected: false });
  });

  it('is refused by V8 with other flags, and all is compiled', async () => {
    expect(await load(['--max-semi-space-size=4'])).toEqual({ start: 'function', rejected: true });
  });

  it.each<[string, () => void]>([
    ['is missing', () => rmSync(`${file}.cache`)],
    ['is empty', () => change(`${file}.cache`, () => Buffer.alloc(0))],
    ['is cut off', () => change(`${file}.cache`, (code) => code.subarray(0, code.length / 2))],
    ['has one wrong bit', () => change(`${file}.cache`, flipBit)],
    // Of the same length, which is all that V8 looks at.
    [
      'is of another source',
      () => change(file, (source) => replaced(source, 'Pluto is ready.', 'Pluto is rEady.')),
    ],
  ])('is not shown to V8 where it %s, and all is compiled', async (_, damage) => {
    damage();
    expect(await load()).toEqual({ start: 'function', rejected: null });
  });

  it('is not needed: the server starts from a changed script, and does what that says', async () => {
    change(file, (source) => replaced(source, 'The first administrator', 'The fIrst administrator'));
    const server = await ServerProcess.start(
      folder,
      { PORT: '0', HOST: '127.0.0.1' },
      join(folder, 'dist/pluto.js'),
    );
    await server.ready();
    expect(server.stdout).toContain('The fIrst administrator is made.');
    expect(server.stderr).toBe('');
  });
});

function flagsOfStart(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(packageDirectory, 'package.json'), 'utf8')) as {
    scripts: { start: string };
  };
  return scripts.start.split(' ').filter((word) => word.startsWith('-'));
}

function flipBit(code: Buffer): Buffer {
  code[code.length >> 1]! ^= 1;
  return code;
}

function replaced(source: Buffer, from: string, to: string): Buffer {
  const at = source.indexOf(from);
  expect(at).toBeGreaterThan(0);
  source.write(to, at);
  return source;
}
