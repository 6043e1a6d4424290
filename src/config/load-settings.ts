import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { InvalidSettings } from './invalid-settings.js';
import { Settings } from './settings.js';

/**
 * Loads the settings of this process from its environment and, behind that, `.env` in the working directory.
 * @throws InvalidSettings with all faults
 */
export function loadSettings(): Settings {
  return Settings.load({ ...readDotEnv(), ...process.env });
}

function readDotEnv(): NodeJS.Dict<string> {
  try {
    return parseEnv(readFileSync('.env', 'utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return {};
    throw new InvalidSettings([`.env cannot be read (${code})`]);
  }
}
