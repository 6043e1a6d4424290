import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/access.js';
import type { Caller } from '../../common/caller.js';
import { randomToken } from '../../common/crypto.js';
import { PlutoError } from '../../common/errors.js';
import type { RequestContext } from '../../common/request-context.js';
import { Settings } from '../../config/settings.js';
import { Transactions } from '../../database/transactions.js';
import { Limits } from '../../limits/limits.service.js';
import { OutboxService } from '../../mail/outbox.service.js';
import { ApplicationsService } from '../../applications/applications.service.js';
import { AccountsService } from '../../users/accounts.service.js';
import { MailIdentitiesService } from '../../users/mail-identities.service.js';
import { MailLimitsService } from '../links/mail-limits.service.js';
import { ChangeMailsService } from './change-mails.service.js';
import { confirmedMail, LinkedChanges, type LinkedChange } from './linked-changes.service.js';
import { MailChangeRecords } from './mail-change-records.service.js';

/** What became of a change by the link to the new address. */
export type Confirmation = LinkedChange & { outcome: 'changed' | 'taken' };

/** Changes the mail address of accounts: nothing changes before the new address is confirmed. */
@Injectable()
export class MailChangesService {
  constructor(
    private readonly transactions: Transactions,
    private readonly accounts: AccountsService,
    private readonly applications: ApplicationsService,
    private readonly mails: MailIdentitiesService,
    private readonly records: MailChangeRecords,
    private readonly linked: LinkedChanges,
    private readonly changeMails: ChangeMailsService,
    private readonly outbox: OutboxService,
    private readonly limits: Limits,
    private readonly mailLimits: MailLimitsService,
    private readonly settings: Settings,
  ) {}

  /**
   * Mails a link to the new address, and one that stops the change to the present one. A change that was
   * asked for earlier and not confirmed is replaced.
   * @throws PlutoError bindNotExist without a confirmed mail | bindExists for the present address |
   *   mailAlreadyRegistered | tooManyRequests
   */
  async request(principal: Principal, mail: string, caller: Caller): Promise<void> {
    const { userId, applicationId } = principal;
    const work = () => this.requestWithin(principal, mail, caller);
    const account = `mail-change:${userId}`;
    // By account too: each request may send a mail to the present address.
    await this.limits.whileLeft('mail-recipient', account, () =>
      this.mailLimits.whileLeft('verify-mail', { applicationId, mail, caller }, work),
    );
  }

  /** What the link to the new address would confirm; null if it is unknown, used or expired. */
  async lookConfirmation(token: string): Promise<LinkedChange | null> {
    return this.linked.of(await this.records.findConfirmable(token));
  }

  /**
   * Puts the new address in place of the former one, which gets a mail with a link to undo it. Links that
   * were sent to the former address no longer work.
   * @returns null if the link is unknown, used or expired, or the former address was unbound meanwhile
   */
  async confirm(token: string, context: RequestContext): Promise<Confirmation | null> {
    const known = await this.records.findConfirmable(token);
    if (!known) return null;
    return this.transactions.runFor(context, async (manager) => {
      // Locked first, so that the reads see what others have committed.
      if (!(await this.accounts.lock(manager, known.userId))) return null;
      const linked = await this.linked.of(await this.records.findConfirmable(token, manager), manager);
      const identity = linked && confirmedMail(linked);
      if (!identity || identity.mail !== linked.change.formerMail) return null;
      if (!(await this.linked.isFree(manager, linked.user, linked.change.newMail)))
        return { ...linked, outcome: 'taken' };
      const undoToken = randomToken();
      if (!(await this.records.confirm(manager, linked.change, undoToken))) return null;
      await this.mails.change(manager, identity, linked.change.newMail);
      await this.linked.revokeLinks(manager, identity);
      await this.changeMails.queueChanged(manager, linked, undoToken);
      await this.linked.publish(manager, linked.user, 'confirmed', linked.change.formerMail);
      return { ...linked, outcome: 'changed' };
    });
  }

  private async requestWithin(
    { userId, applicationId }: Pick<Principal, 'userId' | 'applicationId'>,
    mail: string,
    caller: Caller,
  ): Promise<void> {
    const application = await this.applications.getById(applicationId);
    await this.transactions.runFor(caller, async (manager) => {
      if (!(await this.accounts.lock(manager, userId))) throw new PlutoError('invalidAccessToken');
      const user = await this.accounts.find(userId, manager);
      const identity = await this.accounts.mailOf(userId, manager);
      if (!user || !identity?.isVerified) throw new PlutoError('bindNotExist');
      if (identity.mail === mail) throw new PlutoError('bindExists');
      if (!(await this.linked.isFree(manager, user, mail))) throw new PlutoError('mailAlreadyRegistered');
      const tokens = { confirm: randomToken(), cancel: randomToken() };
      const confirmableSeconds = this.settings.verifyTokenTtlSeconds;
      const addresses = { formerMail: identity.mail, newMail: mail };
      const change = await this.records.add(manager, { userId, ...addresses, confirmableSeconds }, tokens);
      await this.outbox.withdraw(manager, userId, ['mail-change']);
      await this.changeMails.queueRequested(manager, { user, change, application }, tokens, caller);
      await this.linked.publish(manager, user, 'requested');
    });
  }
}
