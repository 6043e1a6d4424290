import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageDirectory } from '../../src/common/package-directory.js';
import { eventually } from './eventually.js';

interface Build {
  sources: string[];
  product: string;
  command: [string, ...string[]];
  lock: string;
}

const cache = join(packageDirectory, 'node_modules/.cache');
const common = ['src', 'migrations', 'package.json', 'tsconfig.json'];
const bundler = ['bundle', 'cache-code', 'load-bundle'].map((name) => `scripts/${name}.mjs`);
const server: Build = {
  sources: [...common, 'ormconfig.ts', 'tsconfig.build.json', ...bundler],
  product: join(packageDirectory, 'dist/pluto.js'),
  command: ['npm', 'run', 'build'],
  lock: join(cache, 'pluto-build.lock'),
};
const bench: Build = {
  sources: [...common, 'bench', 'tsconfig.bench.json'],
  product: join(cache, 'bench/bench/main.js'),
  command: ['npx', 'tsc', '-p', 'tsconfig.bench.json'],
  lock: join(cache, 'pluto-bench.lock'),
};
const BUILD_MS = 120_000;

/** The built server, built now if it is missing or older than its sources; tests that need it at once build it once. */
export function builtServer(): Promise<string> {
  return built(server);
}

/** The benchmark's main module, likewise. */
export function builtBench(): Promise<string> {
  return built(bench);
}

async function built(build: Build): Promise<string> {
  const { product, lock } = build;
  if (isFresh(build)) return product;
  await eventually(() => acquireLock(lock), 'the build by another worker', 2 * BUILD_MS);
  try {
    if (!isFresh(build)) await run(build.command);
    return product;
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

async function run([program, ...parameters]: [string, ...string[]]): Promise<void> {
  const compiling = promisify(execFile)(program, parameters, { cwd: packageDirectory });
  await compiling.catch((error: { stdout?: string; stderr?: string }) => {
    throw new Error(`the build failed:\n${error.stdout}${error.stderr}`);
  });
}

function isFresh({ sources, product }: Build): boolean {
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
function acquireLock(lock: string): boolean {
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
