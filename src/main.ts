import cluster from 'node:cluster';
import { createLog } from './common/logging.js';
import { InvalidSettings } from './config/invalid-settings.js';
import { loadSettings } from './config/load-settings.js';
import type { Settings } from './config/settings.js';
import { servePrimaryMetrics } from './metrics/primary-metrics.js';
import { serve } from './serve.js';
import { superviseWorkers } from './workers.js';

// Whatever Pluto writes is for its own user only, also in a folder that others may enter.
process.umask(0o077);

async function start(settings: Settings): Promise<void> {
  const log = createLog(settings.logLevel, settings.logFormat);
  try {
    if (settings.workers > 1 && cluster.isPrimary) {
      await servePrimaryMetrics(settings);
      superviseWorkers(settings.workers, log);
    } else {
      await serve(settings, log);
    }
  } catch (error) {
    log.fatal({ err: error }, 'Pluto could not start');
    process.exit(1);
  }
}

try {
  await start(loadSettings());
} catch (error) {
  if (!(error instanceof InvalidSettings)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
