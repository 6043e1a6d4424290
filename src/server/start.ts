import { createLog } from '../common/logging.js';
import { InvalidSettings } from '../config/invalid-settings.js';
import { ignoredSettings, loadSettings } from '../config/load-settings.js';
import type { Settings } from '../config/settings.js';
import { serve } from './serve.js';
import { startFault } from './start-fault.js';

/** Loads the settings and runs the server; exits the process on failure. */
export async function start(): Promise<void> {
  try {
    for (const line of ignoredSettings()) process.stderr.write(`${line}\n`);
    await run(loadSettings());
  } catch (error) {
    if (!(error instanceof InvalidSettings)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

async function run(settings: Settings): Promise<void> {
  const log = createLog(settings.logLevel, settings.logFormat);
  try {
    await serve(settings, log);
  } catch (error) {
    if (error instanceof InvalidSettings) throw error;
    const fault = startFault(error, settings);
    if (fault !== null) throw new InvalidSettings([fault]);
    log.fatal({ err: error }, 'Pluto could not start');
    process.exit(1);
  }
}
