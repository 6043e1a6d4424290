import { Module } from '@nestjs/common';
import { MailFilesService } from './mail-files.service.js';
import { MailTransport } from './mail-transport.js';
import { MailWorker } from './mail.worker.js';
import { OutboxService } from './outbox.service.js';

@Module({
  providers: [MailFilesService, MailTransport, MailWorker, OutboxService],
  exports: [MailFilesService, MailWorker, OutboxService],
})
export class MailModule {}
