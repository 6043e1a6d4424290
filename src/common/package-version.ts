import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageDirectory } from './package-directory.js';

interface PackageFile {
  version: string;
}

/** The version of this server, as package.json has it. */
export const packageVersion = (
  JSON.parse(readFileSync(join(packageDirectory, 'package.json'), 'utf8')) as PackageFile
).version;
