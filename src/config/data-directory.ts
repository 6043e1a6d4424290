import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Creates the data folder, readable only by the user of this process, and tests that it is writable.
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
