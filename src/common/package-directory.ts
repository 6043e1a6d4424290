import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder with package.json, the same from `src` and from `dist/src`. */
export const packageDirectory = findPackageDirectory(import.meta.dirname);

function findPackageDirectory(start: string): string {
  for (let folder = start; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
  }
  throw new Error(`no package.json above ${start}`);
}
