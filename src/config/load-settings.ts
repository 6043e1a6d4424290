import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { InvalidSettings } from './invalid-settings.js';
import { misspeltSettings } from './misspelt-settings.js';
import { Settings } from './settings.js';

const REMOVED = {
  WORKERS: 'was removed and is ignored: run several instances behind a proxy, see docs/operations.md',
};

/**
 * Loads the settings of this process from its environment and, behind that, `.env` in the working directory.
 * @throws InvalidSettings with all faults
 */
export function loadSettings(): Settings {
  return Settings.load(readEnvironment());
}

/** @returns one line for each variable that is ignored: misspelt, or a setting of an earlier version */
export function ignoredSettings(): string[] {
  const env = readEnvironment();
  const removed = Object.entries(REMOVED).filter(([name]) => env[name]);
  return [...removed.map(([name, advice]) => `${name} ${advice}`), ...misspeltSettings(env)];
}

function readEnvironment(): NodeJS.Dict<string> {
  return { ...readDotEnv(), ...process.env };
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
