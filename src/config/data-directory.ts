import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Makes the folder for everything that Pluto keeps in files, readable by its own user only, and tries to write there.
 * @throws Error of the file system
 */
export function prepareDataDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const trial = join(path, `.trial-${process.pid}`);
  try {
    writeFileSync(trial, Buffer.alloc(4096), { mode: 0o600, flush: true });
  } finally {
    rmSync(trial, { force: true });
  }
}
