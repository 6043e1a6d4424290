import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageDirectory } from '../../src/common/package-directory.js';
import { eventually } from './eventually.js';

const sources = ['src', 'migrations', 'ormconfig.ts', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];
const product = join(packageDirectory, 'dist/src/main.js');
const cache = join(packageDirectory, 'node_modules/.cache');
const lock = join(cache, 'pluto-build.lock');
const BUILD_MS = 120_000;

/** The built server, built now if it is missing or older than its sources; tests that need it at once build it once. */
export async function builtServer(): Promise<string> {
  if (isFresh()) return product;
  await eventually(acquireLock, 'the build by another worker', 2 * BUILD_MS);
  try {
    if (!isFresh()) await build();
    return product;
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

async function build(): Promise<void> {
  const compiling = promisify(execFile)('npx', ['nest', 'build'], { cwd: packageDirectory });
  await compiling.catch((error: { stdout?: string; stderr?: string }) => {
    throw new Error(`the build failed:\n${error.stdout}${error.stderr}`);
  });
}

function isFresh(): boolean {
  if (!existsSync(product)) return false;
  const builtAt = statSync(product).mtimeMs;
  return sources.every((path) => newest(join(packageDirectory, path)) <= builtAt);
}

function newest(path: string): number {
  const own = statSync(path);
  if (!own.isDirectory()) return own.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

/** A folder is made by one process only. What a run that was killed left behind does not count for ever. */
function acquireLock(): boolean {
  mkdirSync(cache, { recursive: true });
  try {
    mkdirSync(lock);
    return true;
  } catch {
    const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    if (age > BUILD_MS) rmSync(lock, { recursive: true, force: true });
    return false;
  }
}
