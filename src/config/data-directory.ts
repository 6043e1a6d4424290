import { mkdirSync } from 'node:fs';

/** Makes the folder for everything that Pluto keeps in files, readable by its own user only. */
export function prepareDataDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}
