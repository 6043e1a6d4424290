// Builds when a source is newer than what was built; an image without sources has nothing to build.
import { execSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const settings = ['ormconfig.ts', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];
const bundler = ['bundle', 'cache-code', 'load-bundle'].map((name) => `scripts/${name}.mjs`);
const sources = ['src', 'migrations', ...bundler, ...settings];
const product = 'dist/pluto.js';

function newest(path) {
  const own = statSync(path);
  if (!own.isDirectory()) return own.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

const isStale = () =>
  !existsSync(product) || sources.some((path) => newest(path) > statSync(product).mtimeMs);

if (existsSync('src') && isStale()) execSync('npm run build', { stdio: ['ignore', 2, 2] });
