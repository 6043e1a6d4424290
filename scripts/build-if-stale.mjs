// Builds when a source is newer than what was built; an image without sources has nothing to build.
import { execSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const settings = ['nest-cli.json', 'ormconfig.ts', 'package-lock.json', 'package.json'];
const compiler = ['tsconfig.json', 'tsconfig.build.json'];
const sources = ['src', 'migrations', 'scripts/bundle.mjs', ...settings, ...compiler].filter(existsSync);
const product = 'dist/pluto.js';

/** Of a folder its own time, too: it changes when a file in it is deleted or renamed. */
function newest(path) {
  const own = statSync(path);
  const entries = own.isDirectory() ? readdirSync(path) : [];
  return Math.max(own.mtimeMs, ...entries.map((name) => newest(join(path, name))));
}

const isStale = () =>
  !existsSync(product) || sources.some((path) => newest(path) > statSync(product).mtimeMs);

// Standard output belongs to whatever runs next.
if (existsSync('src') && isStale()) execSync('npm run build', { stdio: ['ignore', 2, 2] });
