import { Module } from '@nestjs/common';
import { HousekeepingSteps } from '../housekeeping/housekeeping-steps.js';
import { MailFilesService } from './mail-files.service.js';
import { MailTransport } from './mail-transport.js';
import { MailWorker } from './mail.worker.js';
import { OutboxService } from './outbox.service.js';

@Module({
  providers: [MailFilesService, MailTransport, MailWorker, OutboxService],
  exports: [MailFilesService, MailWorker, OutboxService],
})
export class MailModule {
  constructor(steps: HousekeepingSteps, outbox: OutboxService) {
    steps.register({ name: 'given-up mails', run: (signal) => outbox.purgeGivenUp(signal) });
  }
}
