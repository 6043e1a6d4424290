import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { PlutoError } from '../common/errors.js';
import { mailKey } from '../common/mail-addresses.js';
import { comparisonKey } from '../common/text-keys.js';
import { nowSeconds } from '../common/time.js';
import { isUniqueViolation } from '../database/constraints.js';
import { RetryTransaction } from '../database/transactions.js';
import { PlutoDataSource } from '../database/pluto-data-source.js';
import { OutboxService } from '../mail/outbox.service.js';
import { AccountsService, type MailAccount, type NewAccount } from './accounts.service.js';
import { Identity } from './identity.entity.js';
import { PendingMailsService } from './pending-mails.service.js';
import { SearchIndex } from './search-index.service.js';
import { User } from './user.entity.js';

export interface NewMailAccount extends NewAccount {
  mail: string;
}

/** Maps confirmed mails to accounts: one mail belongs to one account. */
@Injectable()
export class MailIdentitiesService {
  constructor(
    private readonly dataSource: PlutoDataSource,
    private readonly accounts: AccountsService,
    private readonly pending: PendingMailsService,
    private readonly outbox: OutboxService,
    private readonly searchIndex: SearchIndex,
  ) {}

  /** The confirmed identity of a mail. */
  find(
    applicationId: number,
    mail: string,
    manager: EntityManager = this.dataSource.manager,
  ): Promise<Identity | null> {
    return manager.findOneBy(Identity, { applicationId, loginType: 'mail', subjectKey: mailKey(mail) });
  }

  /** @throws PlutoError mailAlreadyRegistered if an account has confirmed the mail */
  async assertFree(manager: EntityManager, applicationId: number, mail: string): Promise<void> {
    if (await this.find(applicationId, mail, manager)) throw new PlutoError('mailAlreadyRegistered');
  }

  /**
   * Creates an account with a confirmed mail.
   * @throws PlutoError mailAlreadyRegistered | userIdExists
   */
  async createAccount(manager: EntityManager, account: NewMailAccount): Promise<MailAccount> {
    const { applicationId, mail } = account;
    await this.assertFree(manager, applicationId, mail);
    const user = await this.createUser(manager, account);
    return { user, identity: await this.addConfirmed(manager, user, mail) };
  }

  /**
   * Adds a mail that needs no confirmation to an account without a mail.
   * @throws PlutoError mailAlreadyRegistered
   */
  async addConfirmed(manager: EntityManager, user: User, mail: string): Promise<Identity> {
    await this.assertFree(manager, user.applicationId, mail);
    const claim = { mail, until: nowSeconds(), searchKey: mailKey(mail) };
    const identity = await this.pending.insert(manager, user, claim);
    // Somebody confirmed the mail meanwhile: the next attempt sees that.
    if (!(await this.confirm(manager, identity))) throw new RetryTransaction();
    return manager.findOneByOrFail(Identity, { id: identity.id });
  }

  /**
   * Creates an account whose mail is pending, or returns the pending one if the same registration is
   * repeated.
   * @param account its password hash is the same for the same password and mail
   * @returns the account with its pending mail
   * @throws PlutoError mailAlreadyRegistered | userIdExists
   */
  async createPending(
    manager: EntityManager,
    account: NewMailAccount & { passwordHash: string },
    until: number,
  ): Promise<MailAccount & { isRepeated: boolean }> {
    await this.assertFree(manager, account.applicationId, account.mail);
    const repeated = await this.pending.findRegistration(manager, account);
    if (repeated) return { ...repeated, isRepeated: true };
    const user = await this.createUser(manager, account);
    const identity = await this.pending.claim(manager, user, {
      mail: account.mail,
      until,
      searchKey: mailKey(account.mail),
    });
    return { user, identity, isRepeated: false };
  }

  /**
   * Confirms a pending mail; whoever else had it pending loses it.
   * @returns false if the mail is gone, or another account has confirmed it
   */
  async confirm(manager: EntityManager, { id, pendingKey }: Identity): Promise<boolean> {
    if (pendingKey === null) return false;
    try {
      const { affected } = await manager.update(
        Identity,
        { id, isVerified: false },
        {
          isVerified: true,
          subjectKey: pendingKey,
          mailKey: pendingKey,
          pendingKey: null,
          pendingUntil: null,
          isContested: false,
        },
      );
      if (affected !== 1) return false;
    } catch (error) {
      if (isUniqueViolation(error, 'uq_identities_subject')) return false;
      throw error;
    }
    const identity = await manager.findOneByOrFail(Identity, { id });
    await this.searchIndex.refresh(manager, identity.userId);
    await this.pending.endAll(manager, identity.applicationId, pendingKey);
    return true;
  }

  /**
   * Gives a confirmed identity another address, which its owner has confirmed.
   * @throws PlutoError mailAlreadyRegistered
   */
  async change(
    manager: EntityManager,
    { id, userId, applicationId, subjectKey }: Identity,
    mail: string,
  ): Promise<void> {
    const key = mailKey(mail);
    if (key !== subjectKey) await this.assertFree(manager, applicationId, mail);
    try {
      const former = { id, isVerified: true, subjectKey };
      const { affected } = await manager.update(Identity, former, { mail, subjectKey: key, mailKey: key });
      if (affected !== 1) throw new RetryTransaction();
    } catch (error) {
      if (isUniqueViolation(error, 'uq_identities_subject')) throw new RetryTransaction();
      throw error;
    }
    await this.searchIndex.refresh(manager, userId);
    await this.pending.endAll(manager, applicationId, key);
  }

  /** Removes a mail, confirmed or not, with the links that were sent to it. */
  async remove(manager: EntityManager, identity: Identity): Promise<void> {
    if (!identity.isVerified && (await this.pending.remove(manager, identity))) return;
    await manager.delete(Identity, { id: identity.id });
    await this.outbox.withdraw(manager, identity.userId, ['verify-mail', 'password-reset']);
    await this.searchIndex.refresh(manager, identity.userId);
  }

  /** @throws PlutoError userIdExists */
  private async createUser(manager: EntityManager, account: NewMailAccount): Promise<User> {
    const { applicationId, handle, mail } = account;
    try {
      return await this.accounts.create(manager, account);
    } catch (error) {
      if (!isUniqueViolation(error, 'uq_users_handle')) throw error;
      const holder = await manager.findOneBy(User, { applicationId, handleKey: comparisonKey(handle) });
      // Registered meanwhile, perhaps because the same form was sent twice: the next attempt sees by whom.
      const isSame =
        (await this.find(applicationId, mail, manager)) ??
        (await this.pending.findRegistration(manager, account));
      if (!holder || isSame) throw new RetryTransaction();
      if (await this.pending.free(manager, holder)) return this.accounts.create(manager, account);
      throw new PlutoError('userIdExists', { cause: error });
    }
  }
}
