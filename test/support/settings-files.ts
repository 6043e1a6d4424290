import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const key = 'a key of the tests, long enough to use';

export let directory: string;

export function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

/** A folder of its own for each test. */
export function useSettingsFolder(): void {
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'pluto-settings-'));
  });
  afterEach(() => {
    jest.restoreAllMocks();
    rmSync(directory, { recursive: true });
  });
}
