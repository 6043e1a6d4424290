import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { buildProgram } from './cli/program.js';
import { createLog, NestLog } from './common/logging.js';
import { prepareDataDirectory } from './config/data-directory.js';
import { loadSettings } from './config/load-settings.js';
import { endFirstStart, refuseLostDatabase } from './database/sqlite/lost-database.js';

/** Opens the application's services without its HTTP server and mail worker. */
async function withServices(work: (services: INestApplicationContext) => Promise<void>): Promise<void> {
  const settings = loadSettings();
  prepareDataDirectory(settings.dataDir);
  refuseLostDatabase(settings);
  const services = await NestFactory.createApplicationContext(AppModule.forRoot(settings, 'cli'), {
    logger: new NestLog(createLog('fatal', settings.logFormat)),
    abortOnError: false,
  });
  endFirstStart(settings);
  try {
    await work(services);
  } finally {
    await services.close();
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
