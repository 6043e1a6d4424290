import cluster from 'node:cluster';
import type { Logger } from 'pino';
import { AppleRevocationWorker } from './auth/apple-revocation.worker.js';
import { FirstStartService } from './auth/first-start.service.js';
import { administratorNotice, startBanner } from './banner.js';
import { prepareDataDirectory } from './config/data-directory.js';
import type { Settings } from './config/settings.js';
import { createApp } from './configure-app.js';
import { Housekeeping } from './housekeeping/housekeeping.service.js';
import { MailWorker } from './mail/mail.worker.js';
import { startMetrics } from './metrics/metrics.module.js';
import { SigningKeysService } from './token/signing-keys.service.js';
import { READY } from './workers.js';

/** How long requests under way may take once the process is told to end. */
const STOP_PATIENCE_MS = 10_000;

/** Serves in this process until a signal comes. */
export async function serve(settings: Settings, log: Logger): Promise<void> {
  prepareDataDirectory(settings.dataDir);
  const app = await createApp(settings, log);
  const administrator = await app.get(FirstStartService).prepare();
  // At once: whatever fails from here on, the password is not made again.
  if (administrator) process.stdout.write(administratorNotice(administrator));
  await app.get(SigningKeysService).assertReadable();
  await startMetrics(app, settings);
  await app.listen(settings.port, settings.host);

  const backgroundWork = [app.get(MailWorker), app.get(AppleRevocationWorker), app.get(Housekeeping)];
  for (const work of backgroundWork) work.start();
  const isFirst = !cluster.isWorker || cluster.worker?.id === 1;
  if (isFirst) process.stdout.write(startBanner(settings, await app.getUrl()));
  process.send?.(READY);

  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    log.info(`${signal}: finishing what is under way`);
    setTimeout(() => process.exit(1), STOP_PATIENCE_MS).unref();
    await Promise.all(backgroundWork.map((work) => work.stop()));
    await app.close();
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop(signal));
}
