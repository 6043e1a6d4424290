// Builds if a source is newer than the build; an image has no sources and needs no build.
import { execSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const settings = ['ormconfig.ts', 'package-lock.json', 'package.json'];
const compiler = ['tsconfig.json', 'tsconfig.build.json'];
const sources = ['src', 'migrations', 'scripts/bundle.mjs', ...settings, ...compiler].filter(existsSync);
const product = 'dist/pluto.js';

/** Includes the time of folders, which changes when a file is deleted or renamed. */
function newest(path) {
  const own = statSync(path);
  const entries = own.isDirectory() ? readdirSync(path) : [];
  return Math.max(own.mtimeMs, ...entries.map((name) => newest(join(path, name))));
}

const isStale = () =>
  !existsSync(product) || sources.some((path) => newest(path) > statSync(product).mtimeMs);

// Standard output is left to the command that follows.
if (existsSync('src') && isStale()) execSync('npm run build', { stdio: ['ignore', 2, 2] });
