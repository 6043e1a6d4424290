import { Injectable, Logger } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Poller } from '../../common/poller.js';
import { isForeignKeyViolation } from '../../database/constraints.js';
import { RetryTransaction } from '../../database/transactions.js';
import { ApplicationsService } from '../../applications/applications.service.js';
import { AccountsService, type MailAccount } from '../../users/accounts.service.js';
import { PendingMailsService } from '../../users/pending-mails.service.js';
import { LinkMailsService } from './link-mails.service.js';
import type { LinkRequest } from './link-request.entity.js';
import { LinkRequestsService } from './link-requests.service.js';
import { MailLimitsService } from './mail-limits.service.js';

const POLL_MS = 2000;
/** Random, so that the next response of this process does not show the work for the one before. */
const PAUSE_MS = { least: 50, most: 250 };
/** Links of so many registrations of one mail are sent by one request. */
const LINKS_MAX = 5;

/** Sends the links that people asked for. */
@Injectable()
export class LinkRequestsWorker {
  private readonly logger = new Logger('Mail');
  private readonly poller = new Poller(
    () => this.answerNext(),
    (error) => this.logger.error(error),
    { restMs: POLL_MS, lanes: 1 },
  );

  constructor(
    private readonly dataSource: DataSource,
    private readonly requests: LinkRequestsService,
    private readonly applications: ApplicationsService,
    private readonly accounts: AccountsService,
    private readonly pending: PendingMailsService,
    private readonly linkMails: LinkMailsService,
    private readonly mailLimits: MailLimitsService,
  ) {}

  start(): void {
    this.requests.onAdded(() => {
      const pauseMs = PAUSE_MS.least + Math.random() * (PAUSE_MS.most - PAUSE_MS.least);
      setTimeout(() => this.poller.wake(), pauseMs).unref();
    });
    this.poller.start();
  }

  stop(): Promise<void> {
    return this.poller.stop();
  }

  private async answerNext(): Promise<boolean> {
    const request = await this.requests.findNext();
    if (!request) return false;
    const allowed = await this.findAllowed(request);
    await this.requests.answer(request, (manager) => this.sendLinks(manager, request, allowed));
    return true;
  }

  /** The pending mails that may be sent to now. Counted outside the transaction, which may be repeated. */
  private async findAllowed(request: LinkRequest): Promise<number[]> {
    const allowed: number[] = [];
    for (const { identity } of await this.findPending(this.dataSource.manager, request)) {
      // The request has counted the first mail to an address.
      const isCounted = isTypedMail(request) && allowed.length === 0;
      if (isCounted || (await this.mailLimits.allowsUntyped(request.applicationId, identity.mail)))
        allowed.push(identity.id);
    }
    return allowed;
  }

  /** A pending registration has no password to reset: its link comes first, whatever was asked for. */
  private async sendLinks(manager: EntityManager, request: LinkRequest, allowed: number[]): Promise<void> {
    const { kind, applicationId, typed } = request;
    const application = await this.applications.getById(applicationId, manager);
    const confirmed = isTypedMail(request)
      ? await this.accounts.findByMail(applicationId, typed, manager)
      : null;
    try {
      if (confirmed && kind === 'reset-password')
        await this.linkMails.queueReset(manager, confirmed, application, request);
      if (confirmed) return;
      for (const pending of await this.findPending(manager, request))
        if (allowed.includes(pending.identity.id))
          await this.linkMails.queueVerification(manager, pending, application, request);
    } catch (error) {
      // Deleted or confirmed concurrently: the next attempt sees that.
      if (isForeignKeyViolation(error)) throw new RetryTransaction();
      throw error;
    }
  }

  private async findPending(manager: EntityManager, request: LinkRequest): Promise<MailAccount[]> {
    const { kind, applicationId, typed } = request;
    if (!isTypedMail(request)) return this.pending.findByHandle(manager, applicationId, typed);
    const pending = (await this.pending.findAll(manager, applicationId, typed)).slice(0, LINKS_MAX);
    if (kind === 'verify-mail') return pending;
    const registrations: MailAccount[] = [];
    // A mail that is being bound is not a way to the account yet.
    for (const one of pending)
      if (!(await this.accounts.isVerified(one.user.id, manager))) registrations.push(one);
    return registrations;
  }
}

/** Not `isMail`: the first administrator's may be `admin@localhost`. */
function isTypedMail({ typed }: LinkRequest): boolean {
  return typed.includes('@');
}
