import type { Logger } from 'pino';
import { FirstStartService } from './auth/first-start.service.js';
import { startBanner } from './banner.js';
import { createLog } from './common/logging.js';
import { exitOnInvalidSettings, loadSettings } from './config/load-settings.js';
import { prepareDataDirectory } from './config/data-directory.js';
import type { Settings } from './config/settings.js';
import { createApp } from './configure-app.js';
import { Housekeeping } from './housekeeping/housekeeping.service.js';
import { MailWorker } from './mail/mail.worker.js';
import { SigningKeysService } from './token/signing-keys.service.js';

/** Serves until a signal comes. */
async function serve(settings: Settings, log: Logger): Promise<void> {
  prepareDataDirectory(settings.dataDir);
  const app = await createApp(settings, log);
  const administrator = await app.get(FirstStartService).prepare();
  await app.get(SigningKeysService).assertReadable();
  await app.listen(settings.port, settings.host);

  const worker = app.get(MailWorker);
  const housekeeping = app.get(Housekeeping);
  worker.start();
  housekeeping.start();
  process.stdout.write(startBanner(settings, await app.getUrl(), administrator));

  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    log.info(`${signal}: finishing what is under way`);
    await Promise.all([worker.stop(), housekeeping.stop()]);
    await app.close();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void stop(signal).then(() => process.exit(0)));
  }
}

try {
  const settings = loadSettings();
  const log = createLog(settings.logLevel, settings.logFormat);
  await serve(settings, log).catch((error: unknown) => {
    log.fatal(error instanceof Error ? { err: error } : {}, 'Pluto could not start');
    process.exitCode = 1;
    setTimeout(() => process.exit(1), 200).unref();
    throw error;
  });
} catch (error) {
  exitOnInvalidSettings(error);
}
