import { Module } from '@nestjs/common';
import { MailerModule, type MailerOptions } from '@nestjs-modules/mailer';
import { Settings } from '../config/settings.js';
import { MailFilesService } from './mail-files.service.js';
import { MailTransport } from './mail-transport.js';
import { MailWorker } from './mail.worker.js';
import { OutboxService } from './outbox.service.js';

const SMTP_TIMEOUTS_MS = { connectionTimeout: 15_000, greetingTimeout: 15_000, socketTimeout: 30_000 };

@Module({
  imports: [MailerModule.forRootAsync({ imports: [], inject: [Settings], useFactory: mailerOptions })],
  providers: [MailFilesService, MailTransport, MailWorker, OutboxService],
  exports: [MailFilesService, MailWorker, OutboxService],
})
export class MailModule {}

function mailerOptions({ smtpUrl, mailFrom }: Settings): MailerOptions {
  return {
    // Without a server the message is only composed; the transport keeps it as a file.
    transport:
      smtpUrl === undefined ? { streamTransport: true, buffer: true } : { url: smtpUrl, ...SMTP_TIMEOUTS_MS },
    defaults: { from: mailFrom },
  } as MailerOptions;
}
