import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../../common/caller.js';
import { Transactions } from '../../database/transactions.js';
import { OutboxService } from '../../mail/outbox.service.js';
import { SessionsService } from '../../token/sessions.service.js';
import { AccountsService } from '../../users/accounts.service.js';
import { MailIdentitiesService } from '../../users/mail-identities.service.js';
import { KnownDevicesService } from '../devices/known-devices.service.js';
import { LinkMailsService } from '../links/link-mails.service.js';
import { ChangeMailsService } from './change-mails.service.js';
import { confirmedMail, LinkedChanges, type LinkedChange } from './linked-changes.service.js';
import { MailChangeRecords } from './mail-change-records.service.js';

/** What the link to the former address does: stops a change that was not confirmed yet, or undoes it. */
export type UndoStep = 'stop' | 'undo';

/** Stops and undoes changes of the mail address, by the links to the former one. */
@Injectable()
export class MailChangeUndoService {
  constructor(
    private readonly transactions: Transactions,
    private readonly accounts: AccountsService,
    private readonly mails: MailIdentitiesService,
    private readonly records: MailChangeRecords,
    private readonly linked: LinkedChanges,
    private readonly changeMails: ChangeMailsService,
    private readonly linkMails: LinkMailsService,
    private readonly outbox: OutboxService,
    private readonly sessions: SessionsService,
    private readonly knownDevices: KnownDevicesService,
  ) {}

  /** What the link to the former address would stop or undo; null if it is unknown, used or expired. */
  async look(token: string): Promise<(LinkedChange & { step: UndoStep }) | null> {
    const linked = await this.linked.of(await this.records.findUndoable(token));
    return linked && { ...linked, step: await this.stepOf(linked) };
  }

  /**
   * Stops or undoes a change, and every later one of the account: those were made by whoever made this one.
   * All sessions end. After an undo the password no longer works, since it may have been reset by the other
   * address, and a link to choose a new one is mailed to the restored address.
   * @returns null if the link is unknown, used or expired, or another account has confirmed the former
   *   address
   */
  async undo(token: string, caller: Caller): Promise<(LinkedChange & { step: UndoStep }) | null> {
    const known = await this.records.findUndoable(token);
    if (!known) return null;
    return this.transactions.runFor(caller, async (manager) => {
      if (!(await this.accounts.lock(manager, known.userId))) return null;
      const linked = await this.linked.of(await this.records.findUndoable(token, manager), manager);
      if (!linked) return null;
      const { user, change } = linked;
      const step = await this.stepOf(linked, manager);
      if (step === 'undo' && !(await this.linked.isFree(manager, user, change.formerMail))) return null;
      if (!(await this.records.closeFrom(manager, change))) return null;
      if (step === 'undo') await this.restore(manager, linked, caller);
      await this.outbox.withdraw(manager, user.id, ['mail-change']);
      await this.changeMails.allowNext(manager, user.id);
      await this.sessions.endAllOf(manager, user.id);
      await this.knownDevices.forgetAll(manager, user.id);
      await this.linked.publish(manager, user, step === 'undo' ? 'undone' : 'stopped');
      return { ...linked, step };
    });
  }

  /** Gives the account its former address back, even if the other one has been unbound. */
  private async restore(manager: EntityManager, linked: LinkedChange, caller: Caller): Promise<void> {
    const { user, change, application } = linked;
    const confirmed = confirmedMail(linked);
    if (confirmed) await this.mails.change(manager, confirmed, change.formerMail);
    else {
      if (linked.identity) await this.mails.remove(manager, linked.identity);
      await this.mails.addConfirmed(manager, user, change.formerMail);
    }
    await this.accounts.setPassword(manager, user.id, null);
    const identity = await this.accounts.mailOf(user.id, manager);
    if (!identity) throw new Error('the restored mail is missing');
    await this.linked.revokeLinks(manager, identity);
    await this.linkMails.queueReset(manager, { user, identity }, application, caller);
  }

  /** There is something to undo if this change or a later one was confirmed. */
  private async stepOf({ identity, change }: LinkedChange, manager?: EntityManager): Promise<UndoStep> {
    const isInPlace = identity?.isVerified === true && identity.mail === change.formerMail;
    return !isInPlace && (await this.records.hasConfirmedFrom(change, manager)) ? 'undo' : 'stop';
  }
}
