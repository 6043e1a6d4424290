import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { buildProgram } from './cli/program.js';
import { createLog, NestLog } from './common/logging.js';
import { describeDatabase } from './config/database-url.js';
import { prepareDataDirectory } from './config/data-directory.js';
import { InvalidSettings } from './config/invalid-settings.js';
import { loadSettings } from './config/load-settings.js';
import type { Settings } from './config/settings.js';
import { refuseLostDatabase, refuseMissingDatabase } from './database/sqlite/lost-database.js';
import { startFault } from './server/start-fault.js';
import { refuseLostSecretKey } from './token/lost-secret-key.js';

/** Opens the application's services without its HTTP server and mail worker. */
async function withServices(work: (services: INestApplicationContext) => Promise<void>): Promise<void> {
  const settings = loadSettings();
  const services = await open(settings);
  process.stderr.write(`Database: ${describeDatabase(settings.database)}\n`);
  try {
    await work(services);
  } finally {
    await services.close();
  }
}

async function open(settings: Settings): Promise<INestApplicationContext> {
  try {
    refuseLostDatabase(settings, { mayCreate: false });
    refuseMissingDatabase(settings);
    refuseLostSecretKey(settings);
    prepareDataDirectory(settings.dataDir);
    return await NestFactory.createApplicationContext(AppModule.forRoot(settings, 'cli'), {
      logger: new NestLog(createLog('fatal', settings.logFormat)),
      abortOnError: false,
    });
  } catch (error) {
    const fault = error instanceof InvalidSettings ? null : startFault(error, settings);
    throw fault === null ? error : new InvalidSettings([fault]);
  }
}

// As for the server: files are readable only by this user.
process.umask(0o077);

try {
  await buildProgram(withServices).parseAsync();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
