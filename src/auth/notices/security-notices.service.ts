import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { chooseLanguage } from '../../common/languages.js';
import type { RequestContext } from '../../common/request-context.js';
import { deliveryAddress, mailKey } from '../../common/mail-addresses.js';
import { nowSeconds } from '../../common/time.js';
import { Settings } from '../../config/settings.js';
import { SecurityEvents, type SecurityEvent } from '../../events/security-events.js';
import { OutboxService } from '../../mail/outbox.service.js';
import { ApplicationNamesService } from '../../applications/application-names.service.js';
import { ApplicationsService } from '../../applications/applications.service.js';
import { AccountsService } from '../../users/accounts.service.js';
import type { User } from '../../users/user.entity.js';
import { NoticeLimit } from './notice-limit.service.js';
import { noticeOf, type Notice } from './notice.js';

/** How long a notice is worth sending. */
const NOTICE_TTL_SECONDS = 7 * 24 * 60 * 60;

/**
 * Tells the owner of an account by mail of every change to its ways to sign in, in the transaction of the
 * change. The mail goes to each address that was confirmed before, in the owner's language rather than that
 * of whoever made the change, and has no link that signs in.
 */
@Injectable()
export class SecurityNotices {
  constructor(
    events: SecurityEvents,
    private readonly accounts: AccountsService,
    private readonly applications: ApplicationsService,
    private readonly applicationNames: ApplicationNamesService,
    private readonly limit: NoticeLimit,
    private readonly outbox: OutboxService,
    private readonly settings: Settings,
  ) {
    events.subscribe((manager, event, context) => this.notify(manager, event, context));
  }

  private async notify(
    manager: EntityManager,
    event: SecurityEvent,
    context: RequestContext | null,
  ): Promise<void> {
    const notice = noticeOf(event);
    if (!notice || event.userId === null) return;
    const user = await this.accounts.find(event.userId, manager);
    if (!user) return;
    const recipients = await this.recipientsOf(manager, event, user.id, notice);
    if (recipients.length === 0) return;
    if (!(await this.limit.take(manager, user.id, `${notice.kind}:${notice.method}`))) return;
    await this.queue(manager, user, { notice, recipients, acceptLanguage: context?.acceptLanguage });
  }

  /** Without the address that the event has just added, which may be a stranger's. */
  private async recipientsOf(
    manager: EntityManager,
    { formerMail }: SecurityEvent,
    userId: number,
    { kind, method }: Notice,
  ): Promise<string[]> {
    const bound = await this.accounts.identitiesOf(userId, manager);
    const isNew = (type: string) =>
      (kind === 'bindingAdded' && type === method) || (kind === 'mailChanged' && type === 'mail');
    const confirmed = bound.filter(({ isVerified, loginType }) => isVerified && !isNew(loginType));
    const others = confirmed.map(({ mail }) => mail);
    const former = mailKey(formerMail ?? '');
    // The former address of a change gets a mail of its own, by which the change can be undone.
    const mails =
      kind === 'mailChanged'
        ? others.filter((mail) => mailKey(mail) !== former)
        : [...others, formerMail ?? ''];
    const byKey = new Map(mails.filter((mail) => mail !== '').map((mail) => [mailKey(mail), mail]));
    return [...byKey.values()];
  }

  private async queue(
    manager: EntityManager,
    user: User,
    mail: { notice: Notice; recipients: string[]; acceptLanguage: string | undefined },
  ): Promise<void> {
    const { notice, recipients, acceptLanguage } = mail;
    const application = await this.applications.getById(user.applicationId, manager);
    const readersLanguage = user.language || acceptLanguage;
    const now = nowSeconds();
    for (const recipient of recipients)
      await this.outbox.enqueue(manager, {
        userId: user.id,
        template: 'security-notice',
        language: chooseLanguage(readersLanguage),
        recipient: deliveryAddress(recipient) ?? recipient,
        context: {
          ...notice,
          applicationName: await this.applicationNames.displayName(application, readersLanguage, manager),
          userName: user.name,
          link: `${this.settings.publicUrl}/web/password/forgot?app_id=${encodeURIComponent(application.name)}`,
          validSeconds: 0,
          at: now,
        },
        expiresAt: now + NOTICE_TTL_SECONDS,
      });
  }
}
