import cluster from 'node:cluster';
import { createLog } from './common/logging.js';
import { storageFault } from './common/storage-fault.js';
import { InvalidSettings } from './config/invalid-settings.js';
import { loadSettings } from './config/load-settings.js';
import type { Settings } from './config/settings.js';
import { servePrimaryMetricsIfSet } from './metrics/metrics-if-set.js';
import { superviseWorkers } from './workers.js';

/** Reads the settings and serves, in this process or in several; ends the process when that cannot be. */
export async function start(): Promise<void> {
  try {
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
    if (settings.workers > 1 && cluster.isPrimary) {
      await servePrimaryMetricsIfSet(settings);
      superviseWorkers(settings, log);
    } else {
      // Not read by a supervisor, which serves nothing itself.
      const { serve } = await import('./serve.js');
      await serve(settings, log);
    }
  } catch (error) {
    if (error instanceof InvalidSettings) throw error;
    const fault = storageFault(error);
    if (fault !== null) throw new InvalidSettings([`DATA_DIR ${settings.dataDir} cannot be used: ${fault}`]);
    log.fatal({ err: error }, 'Pluto could not start');
    process.exit(1);
  }
}
