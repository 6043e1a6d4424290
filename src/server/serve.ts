import type { Logger } from 'pino';
import { AppleRevocationWorker } from '../auth/providers/apple/apple-revocation.worker.js';
import { LinkRequestsWorker } from '../auth/links/link-requests.worker.js';
import { FirstStartService } from '../auth/first-start.service.js';
import { administratorNotice, startBanner } from './banner.js';
import { prepareDataDirectory } from '../config/data-directory.js';
import type { Settings } from '../config/settings.js';
import { createApp } from './configure-app.js';
import { endFirstStart, refuseLostDatabase } from '../database/sqlite/lost-database.js';
import { lockForServer } from '../database/sqlite/server-lock.js';
import { completeRestore } from '../database/sqlite/staged-restore.js';
import { Housekeeping } from '../housekeeping/housekeeping.service.js';
import { MailWorker } from '../mail/mail.worker.js';
import { whenToldToStop } from './stop-signals.js';
import { stopServing } from './stop-serving.js';
import { startMetricsIfSet } from '../metrics/metrics-if-set.js';
import { refuseLostSecretKey } from '../token/lost-secret-key.js';
import { SigningKeysService } from '../token/signing-keys.service.js';

/** Runs the server in this process until a signal arrives. */
export async function serve(settings: Settings, log: Logger): Promise<void> {
  prepareDataDirectory(settings.dataDir);
  lockForServer(settings);
  completeRestore(settings);
  refuseLostDatabase(settings);
  refuseLostSecretKey(settings);
  const app = await createApp(settings, log);
  const administrator = await app.get(FirstStartService).prepare();
  // Immediately: if a later step fails, the password is not generated again.
  if (administrator) process.stdout.write(administratorNotice(administrator));
  endFirstStart(settings);
  await app.get(SigningKeysService).assertReadable();
  await startMetricsIfSet(app, settings);
  await app.listen(settings.port, settings.host);

  const backgroundWork = {
    linkRequests: app.get(LinkRequestsWorker),
    mails: app.get(MailWorker),
    revocations: app.get(AppleRevocationWorker),
    housekeeping: app.get(Housekeeping),
  };
  for (const work of Object.values(backgroundWork)) work.start();
  whenToldToStop((signal) => void stopServing({ app, backgroundWork, settings, log }, signal));
  process.stdout.write(startBanner(settings, await app.getUrl()));
}
