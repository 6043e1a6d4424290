import { Injectable } from '@nestjs/common';
import type { Caller } from '../../common/caller.js';
import { PlutoError } from '../../common/errors.js';
import type { RequestContext } from '../../common/request-context.js';
import { SecurityEvents } from '../../events/security-events.js';
import { Transactions } from '../../database/transactions.js';
import { Limits } from '../../limits/limits.service.js';
import type { Application } from '../../applications/application.entity.js';
import { ApplicationsService } from '../../applications/applications.service.js';
import { AccountsService, type MailAccount } from '../../users/accounts.service.js';
import { MailIdentitiesService } from '../../users/mail-identities.service.js';
import { LinkMailsService, recipientKey } from '../links/link-mails.service.js';
import { OneTimeTokensService } from '../links/one-time-tokens.service.js';

/** The account whose mail a link confirms. */
export interface VerificationLink extends MailAccount {
  application: Application;
}

/** Confirms that a mail address belongs to the owner of the account. */
@Injectable()
export class MailVerificationService {
  constructor(
    private readonly transactions: Transactions,
    private readonly applications: ApplicationsService,
    private readonly accounts: AccountsService,
    private readonly mails: MailIdentitiesService,
    private readonly tokens: OneTimeTokensService,
    private readonly linkMails: LinkMailsService,
    private readonly limits: Limits,
    private readonly events: SecurityEvents,
  ) {}

  /**
   * Queues the verification mail again. Unknown accounts get the same answer, but no mail.
   * @throws PlutoError applicationNotExist | mailAlreadyVerified | tooManyRequests
   */
  async sendAgain(
    applicationName: string,
    { mail, handle }: { mail?: string | undefined; handle?: string | undefined },
    caller: Caller,
  ): Promise<void> {
    const application = await this.applications.getByName(applicationName);
    const account =
      mail !== undefined
        ? await this.accounts.findByMail(application.id, mail)
        : await this.accounts.findByHandle(application.id, handle ?? '');
    if (account?.identity.isVerified) throw new PlutoError('mailAlreadyVerified');
    const recipient = mail ?? account?.identity.mail;
    if (recipient === undefined) return;
    const key = recipientKey('verify-mail', application.id, recipient);
    if (mail !== undefined) await this.limits.count('mail-recipient', key);
    // Handles are public: a 429 for a handle would reveal which mail address it shares its limit with.
    else if (!(await this.limits.allows('mail-recipient', key))) return;
    if (!account) return;
    await this.linkMails.send(caller, (manager) =>
      this.linkMails.queueVerification(manager, account, application, caller),
    );
  }

  /** What a link would confirm; null if it is unknown or expired. Does not consume the link. */
  async look(token: string): Promise<VerificationLink | null> {
    const link = await this.tokens.find('verify-mail', token);
    const account = link && (await this.accounts.findByIdentity(link.identityId));
    if (!account) return null;
    return { ...account, application: await this.applications.getById(account.user.applicationId) };
  }

  /**
   * Consumes a link.
   * @returns the account and whether this call confirmed it; null if the link is unknown or expired
   */
  async confirm(
    token: string,
    context: RequestContext,
  ): Promise<(VerificationLink & { isFirst: boolean }) | null> {
    return this.transactions.runFor(context, async (manager) => {
      const link = await this.tokens.find('verify-mail', token, manager);
      if (!link) return null;
      const isUnused = await this.tokens.consume(manager, link);
      const account = await this.accounts.findByIdentity(link.identityId, manager);
      if (!account) return null;
      const { user, identity } = account;
      if (isUnused) await this.mails.confirm(manager, identity.id);
      const application = await this.applications.getById(user.applicationId, manager);
      const isFirst = isUnused && !identity.isVerified;
      if (isFirst)
        await this.events.publish(manager, {
          type: 'mail.confirmed',
          applicationId: application.id,
          userId: user.id,
          detail: {},
        });
      return { ...account, application, isFirst };
    });
  }
}
