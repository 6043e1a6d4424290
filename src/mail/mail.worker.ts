import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import pTimeout from 'p-timeout';
import { Poller } from '../common/poller.js';
import { nowSeconds } from '../common/time.js';
import { Views } from '../common/views/views.js';
import type { FaultKind } from './delivery-fault.js';
import { MailTransport } from './mail-transport.js';
import { CLAIM_SECONDS, LONGEST_PAUSE_SECONDS, OutboxService, type ClaimedMail } from './outbox.service.js';

/** Pauses between attempts, in seconds; after the last attempt the mail has failed. */
const PAUSES_SECONDS = [10, 30, 120, 600, 1800, 3600, 10_800, LONGEST_PAUSE_SECONDS];
/** How often a worker polls for mails queued by other instances or due for a retry. */
const POLL_MS = 2000;
const MARK_PAUSE_MS = 1000;
const PARALLEL_DELIVERIES = 3;
const PROLONG_MS = 60_000;
/** How long shutdown waits for deliveries; another worker sends the mail after the claim has expired. */
const STOP_TIMEOUT_MS = 7000;

/** The outcome of an attempt to send a mail. */
export type MailResult = 'sent' | FaultKind;

/** Sends queued mails until it is stopped. Only the server starts it, not the commands. */
@Injectable()
export class MailWorker {
  private readonly logger = new Logger('Mail');
  private readonly poller = new Poller(
    () => this.sendNext(),
    (error) => this.logger.error(error),
    { restMs: POLL_MS, lanes: PARALLEL_DELIVERIES },
  );
  private readonly listeners: ((result: MailResult) => void)[] = [];

  constructor(
    private readonly outbox: OutboxService,
    private readonly transport: MailTransport,
    private readonly views: Views,
  ) {}

  /** Registers a callback for each attempt of this process to send a mail. */
  onAttempt(listener: (result: MailResult) => void): void {
    this.listeners.push(listener);
  }

  start(): void {
    this.outbox.onQueued(() => this.poller.wake());
    this.poller.start();
  }

  /** Resolves when current deliveries are done, or after a timeout; another worker then sends their mails. */
  async stop(): Promise<void> {
    await pTimeout(this.poller.stop(), { milliseconds: STOP_TIMEOUT_MS, fallback: () => undefined });
  }

  private async sendNext(): Promise<boolean> {
    const mail = await this.outbox.claimNext();
    if (mail) await this.send(mail);
    return mail !== null;
  }

  private async send(mail: ClaimedMail): Promise<void> {
    const about = { mailId: mail.id, template: mail.template, userId: mail.userId, attempt: mail.attempts };
    if (mail.expiresAt <= nowSeconds()) {
      const reason = 'its link expired before it could be sent';
      await this.outbox.fail(mail, reason);
      this.logger.warn({ msg: 'mail failed permanently', fault: 'expired', reason, ...about });
      this.report('expired');
      return;
    }
    const prolonging = setInterval(() => void this.prolong(mail), PROLONG_MS);
    try {
      const rendered = this.views.renderMail(mail.template, mail.language, mail.context);
      await this.transport.deliver({
        ...rendered,
        id: mail.id,
        userId: mail.userId,
        recipient: mail.recipient,
        applicationName: mail.context.applicationName,
        link: mail.context.link,
      });
    } catch (error) {
      await this.settleFault(mail, error, about);
      return;
    } finally {
      clearInterval(prolonging);
    }
    await this.markSent(mail);
    this.logger.log({ msg: 'mail sent', ...about });
    this.report('sent');
  }

  /** Retries until the claim expires, since a mail that is not marked as sent would be sent again. */
  private async markSent(mail: ClaimedMail): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.outbox.markSent(mail);
      } catch (error) {
        if (attempt * MARK_PAUSE_MS >= CLAIM_SECONDS * 1000) throw error;
        await sleep(MARK_PAUSE_MS);
      }
    }
  }

  private async prolong(mail: ClaimedMail): Promise<void> {
    try {
      await this.outbox.prolong(mail);
    } catch (error) {
      this.logger.error(error);
    }
  }

  private async settleFault(mail: ClaimedMail, error: unknown, about: object): Promise<void> {
    const { kind, isPermanent, reason } = this.transport.faultOf(error);
    const fault = { fault: kind, reason };
    const pauseSeconds = PAUSES_SECONDS[mail.attempts - 1];
    if (isPermanent || pauseSeconds === undefined) {
      await this.outbox.fail(mail, reason);
      this.logger.error({ msg: 'mail failed permanently', ...fault, ...about });
    } else {
      await this.outbox.postpone(mail, pauseSeconds, reason);
      this.logger.warn({ msg: 'mail not sent, will be retried', ...fault, pauseSeconds, ...about });
    }
    this.report(kind);
  }

  private report(result: MailResult): void {
    for (const listener of this.listeners) listener(result);
  }
}
