import { join } from 'node:path';
import { packageDirectory } from '../../src/common/package-directory.js';

/** The built server; the global set-up has built it. */
export function builtServer(): Promise<string> {
  return Promise.resolve(join(packageDirectory, 'dist/pluto.js'));
}
