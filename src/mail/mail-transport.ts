import { isIP } from 'node:net';
import { Injectable, Logger } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import type { MailerOptions, MailerService } from '@nestjs-modules/mailer';
import type { TransportOptions } from 'nodemailer';
import type { RenderedMail } from '../common/views/contexts.js';
import { singleLine } from '../common/views/plain-text.js';
import { Settings } from '../config/settings.js';
import { deliveryFault, UndeliverableAddress, type DeliveryFault } from './delivery-fault.js';
import { MailFilesService } from './mail-files.service.js';

export interface Delivery extends RenderedMail {
  id: number;
  userId: number;
  recipient: string;
  /** The sender's name. */
  applicationName: string;
  /** The link in the mail, logged if there is no mail server. */
  link: string;
}

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

  /** @throws UndeliverableAddress, or the mailer's error: see `faultOf` */
  async deliver(mail: Delivery): Promise<void> {
    if (needsSmtpUtf8(mail.recipient)) await this.assertSmtpUtf8();
    this.mailer ??= this.loadMailer().catch((error: unknown) => {
      this.mailer = null;
      throw error;
    });
    const mailer = await this.mailer;
    const sent: unknown = await mailer.sendMail({
      from: { name: singleLine(mail.applicationName), address: this.settings.mailFrom.address },
      to: { name: '', address: mail.recipient },
      subject: mail.subject,
      html: mail.html,
      text: mail.text,
      // Marks the mail as automatic, so that no vacation responder answers (RFC 3834 section 5).
      headers: { 'Auto-Submitted': 'auto-generated' },
    });
    if (this.settings.smtpUrl === undefined) await this.keepAsFile(mail, messageOf(sent));
  }

  /** Why a delivery failed. */
  faultOf(thrown: unknown): DeliveryFault {
    return deliveryFault(thrown, this.settings.smtpUrl?.secrets);
  }

  /**
   * Asks the mail server on a connection of its own: nodemailer sends such an address to any server, and the
   * server might deliver to another one.
   * @throws UndeliverableAddress if the server does not offer SMTPUTF8
   * @see RFC 6531 section 3.4
   */
  private async assertSmtpUtf8(): Promise<void> {
    if (this.settings.smtpUrl === undefined) return;
    const { createTransport } = await import('./mailer.js');
    let greeting = '';
    const keep = (entry: { tnx?: string }, reply: string) => {
      if (entry.tnx === 'server' && reply.startsWith('250')) greeting = reply;
    };
    const logger = { ...silent, debug: keep };
    const options = { ...smtpOptions(this.settings), logger, transactionLog: true };
    await createTransport(options as TransportOptions).verify();
    // The last one: what was offered before STARTTLS no longer counts (RFC 3207 section 4.2).
    if (/^250[ -]SMTPUTF8\b/im.test(greeting)) return;
    throw new UndeliverableAddress('the mail server does not offer SMTPUTF8, which this address requires');
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

const ignore = (): void => undefined;
const silent = { level: ignore, trace: ignore, info: ignore, warn: ignore, error: ignore, fatal: ignore };

function mailerOptions(settings: Settings): MailerOptions {
  // Without a server the message is only rendered, and then written to a file.
  const transport =
    settings.smtpUrl === undefined ? { streamTransport: true, buffer: true } : smtpOptions(settings);
  return { transport };
}

function smtpOptions({ smtpUrl, publicUrl }: Settings): object {
  if (smtpUrl === undefined) throw new Error('there is no mail server');
  const { url, requireTls, isNamed } = smtpUrl;
  const name = isNamed ? undefined : greetingName(new URL(publicUrl).hostname);
  return { url, requireTLS: requireTls, ...(name !== undefined && { name }), ...SMTP_TIMEOUTS_MS };
}

/** What Pluto calls itself (RFC 5321 section 4.1.1.1); undefined for a host that is no name elsewhere. */
function greetingName(host: string): string | undefined {
  if (host.startsWith('[')) return `[IPv6:${host.slice(1)}`;
  if (isIP(host) !== 0) return `[${host}]`;
  return host.includes('.') ? host : undefined;
}

function needsSmtpUtf8(address: string): boolean {
  // The domain is sent as ASCII.
  return /[^\p{ASCII}]/u.test(address.slice(0, address.lastIndexOf('@')));
}

function messageOf(sent: unknown): Buffer {
  if (typeof sent === 'object' && sent !== null && 'message' in sent && Buffer.isBuffer(sent.message)) {
    return sent.message;
  }
  throw new Error('the stream transport returned no message');
}
