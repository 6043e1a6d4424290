import { isNativeError } from 'node:util/types';
import { Injectable, Logger } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import type { MailerOptions, MailerService } from '@nestjs-modules/mailer';
import type { RenderedMail } from '../common/views/contexts.js';
import { Settings } from '../config/settings.js';
import { MailFilesService } from './mail-files.service.js';

export interface Delivery extends RenderedMail {
  id: number;
  userId: number;
  recipient: string;
  /** The link in the mail, logged if there is no mail server. */
  link: string;
}

/** Why a delivery failed, and whether to retry it. */
export interface DeliveryFault {
  isPermanent: boolean;
  reason: string;
}

const REASON_MAX = 255;
const SMTP_TIMEOUTS_MS = { connectionTimeout: 15_000, greetingTimeout: 15_000, socketTimeout: 30_000 };

/** Hands mails to the SMTP server, or writes them to `DATA_DIR/outbox` if none is configured. */
@Injectable()
export class MailTransport {
  private readonly logger = new Logger('Mail');
  private mailer: Promise<MailerService> | null = null;

  constructor(
    private readonly modules: LazyModuleLoader,
    private readonly files: MailFilesService,
    private readonly settings: Settings,
  ) {}

  async deliver(mail: Delivery): Promise<void> {
    this.mailer ??= this.loadMailer().catch((error: unknown) => {
      this.mailer = null;
      throw error;
    });
    const mailer = await this.mailer;
    const sent: unknown = await mailer.sendMail({
      to: { name: '', address: mail.recipient },
      subject: mail.subject,
      html: mail.html,
      text: mail.text,
      // Marks the mail as automatic, so that no vacation responder answers (RFC 3834 section 5).
      headers: { 'Auto-Submitted': 'auto-generated' },
    });
    if (this.settings.smtpUrl === undefined) await this.keepAsFile(mail, messageOf(sent));
  }

  /** Loaded with the first mail, since its modules would slow down the start. */
  private async loadMailer(): Promise<MailerService> {
    const { MailerModule, MailerService } = await import('./mailer.js');
    const loaded = await this.modules.load(() => MailerModule.forRoot(mailerOptions(this.settings)), {
      logger: false,
    });
    return loaded.get(MailerService, { strict: false });
  }

  private async keepAsFile(mail: Delivery, message: Buffer): Promise<void> {
    const path = await this.files.keep(mail, message);
    this.logger.log(
      `SMTP_URL is not set: the mail to ${mail.recipient} is in ${path}, its link is ${mail.link}`,
    );
  }
}

function mailerOptions({ smtpUrl, mailFrom }: Settings): MailerOptions {
  return {
    // Without a server the message is only rendered, and then written to a file.
    transport:
      smtpUrl === undefined
        ? { streamTransport: true, buffer: true }
        : { url: smtpUrl.url, requireTLS: smtpUrl.requireTls, ...SMTP_TIMEOUTS_MS },
    defaults: { from: mailFrom },
  } as MailerOptions;
}

/** Errors of the connection, not of the mail: authentication, STARTTLS, EHLO. */
const CONNECTION_FAULTS: unknown[] = ['EAUTH', 'ETLS', 'ECONNECTION'];

/** Classifies a delivery error: 5xx replies about the mail are permanent (RFC 5321 section 4.2.1). */
export function deliveryFault(thrown: unknown): DeliveryFault {
  if (!isNativeError(thrown)) return { isPermanent: false, reason: 'unknown' };
  const { code, responseCode, response } = thrown as {
    code?: unknown;
    responseCode?: unknown;
    response?: unknown;
  };
  const isPermanent =
    !CONNECTION_FAULTS.includes(code) &&
    typeof responseCode === 'number' &&
    responseCode >= 500 &&
    responseCode < 600;
  // The reply to STARTTLS alone does not say that TLS failed.
  const isAnswer = typeof response === 'string' && code !== 'ETLS';
  const reason = [code, isAnswer ? response : thrown.message]
    .filter((part) => typeof part === 'string')
    .join(': ');
  return { isPermanent, reason: reason.slice(0, REASON_MAX) };
}

function messageOf(sent: unknown): Buffer {
  if (typeof sent === 'object' && sent !== null && 'message' in sent && Buffer.isBuffer(sent.message)) {
    return sent.message;
  }
  throw new Error('the stream transport returned no message');
}
