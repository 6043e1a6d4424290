import { NestFactory } from '@nestjs/core';
import type { INestApplicationContext } from '@nestjs/common';
import { AppModule } from '../src/app.module.js';
import { FirstStartService, type FirstAdministrator } from '../src/auth/first-start.service.js';
import { createLog, NestLog } from '../src/common/logging.js';
import { prepareDataDirectory } from '../src/config/data-directory.js';
import type { Settings } from '../src/config/settings.js';

/** The application's own services on a database that is ready, as the server would make it, for some work. */
export async function withServices<T>(
  settings: Settings,
  work: (services: INestApplicationContext, administrator: FirstAdministrator | null) => Promise<T>,
): Promise<T> {
  prepareDataDirectory(settings.dataDir);
  const services = await NestFactory.createApplicationContext(AppModule.forRoot(settings), {
    logger: new NestLog(createLog('error', 'json')),
    abortOnError: false,
  });
  try {
    return await work(services, await services.get(FirstStartService).prepare());
  } finally {
    await services.close();
  }
}
