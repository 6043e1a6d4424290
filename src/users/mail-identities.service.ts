import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { PlutoError } from '../common/errors.js';
import { comparisonKey } from '../common/text-keys.js';
import { nowSeconds } from '../common/time.js';
import { violatedUniqueKey } from '../database/constraints.js';
import { SecurityEvents } from '../events/security-events.js';
import { RetryTransaction } from '../database/transactions.js';
import { OutboxService } from '../mail/outbox.service.js';
import { AccountsService, type MailAccount, type NewAccount } from './accounts.service.js';
import { Identity } from './identity.entity.js';
import { User } from './user.entity.js';

export interface NewMailAccount extends NewAccount {
  mail: string;
  isVerified: boolean;
}

const PENDING_BATCH = 500;

/**
 * Maps mails to accounts. An unconfirmed mail belongs to the account that claimed it last, so that it cannot
 * keep out the owner of the mailbox.
 */
@Injectable()
export class MailIdentitiesService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly accounts: AccountsService,
    private readonly outbox: OutboxService,
    private readonly events: SecurityEvents,
  ) {}

  find(
    applicationId: number,
    mail: string,
    manager: EntityManager = this.dataSource.manager,
  ): Promise<Identity | null> {
    return manager.findOneBy(Identity, { applicationId, loginType: 'mail', subjectKey: comparisonKey(mail) });
  }

  /**
   * Creates an account with a mail.
   * @throws PlutoError mailAlreadyRegistered | userIdExists
   */
  async createAccount(manager: EntityManager, account: NewMailAccount): Promise<MailAccount> {
    const { applicationId, mail, isVerified } = account;
    await this.makeFree(manager, applicationId, mail);
    try {
      const user = await this.accounts.create(manager, account);
      const identity = { mail, mailKey: comparisonKey(mail), isVerified };
      return { user, identity: await this.insert(manager, user, identity) };
    } catch (error) {
      const key = violatedUniqueKey(error);
      if (key !== 'uq_users_handle' && key !== 'uq_identities_subject') throw error;
      // Someone registered the mail meanwhile; the next attempt sees whether that account is confirmed. It
      // may have the same handle if the form was sent twice.
      const registered = await this.find(applicationId, mail, manager);
      if (registered || key === 'uq_identities_subject') throw new RetryTransaction();
      throw new PlutoError('userIdExists', { cause: error });
    }
  }

  /**
   * Adds an unconfirmed mail to an account without one, which the caller has locked. The account cannot be
   * found by it until it is confirmed.
   * @throws PlutoError mailAlreadyRegistered
   */
  async add(manager: EntityManager, user: User, mail: string): Promise<Identity> {
    await this.makeFree(manager, user.applicationId, mail);
    try {
      return await this.insert(manager, user, { mail, mailKey: '', isVerified: false });
    } catch (error) {
      if (violatedUniqueKey(error) === 'uq_identities_subject') throw new RetryTransaction();
      throw error;
    }
  }

  async confirm(manager: EntityManager, identityId: number): Promise<void> {
    await manager.update(Identity, { id: identityId }, { isVerified: true, mailKey: () => 'subject_key' });
  }

  /** Unconfirmed mails older than the given time, oldest first, read in batches. */
  async *findPendingBefore(time: number): AsyncGenerator<Identity> {
    for (let last: Pick<Identity, 'createdAt' | 'id'> | undefined = { createdAt: 0, id: 0 }; last;) {
      const batch: Identity[] = await this.findPendingAfter(last, time);
      yield* batch;
      last = batch.at(-1);
    }
  }

  /** Locks an unconfirmed mail until the end of the transaction. @returns false if it is gone or confirmed */
  async lockPending(manager: EntityManager, { id }: Identity): Promise<boolean> {
    const { affected } = await manager.update(Identity, { id, isVerified: false }, { isVerified: false });
    return affected === 1;
  }

  /**
   * Deletes an unconfirmed mail, and its account unless that has another identity.
   * @returns false when it was confirmed or replaced meanwhile
   */
  async deletePending(manager: EntityManager, identity: Identity): Promise<boolean> {
    if (!(await this.removePending(manager, identity))) return false;
    const { userId, applicationId } = identity;
    const { affected } = await manager
      .createQueryBuilder()
      .delete()
      .from(User)
      .where('id = :userId', { userId })
      .andWhere('NOT EXISTS (SELECT 1 FROM identities WHERE identities.user_id = users.id)')
      .execute();
    const place = { applicationId, userId };
    await this.events.publish(
      manager,
      affected === 1
        ? { type: 'account.deleted', ...place, detail: { reason: 'abandoned' } }
        : { type: 'mail.unbound', ...place, detail: {} },
    );
    return true;
  }

  /** Deletes an unconfirmed mail of an account. @returns false when it was confirmed or replaced meanwhile */
  async removePending(manager: EntityManager, identity: Identity): Promise<boolean> {
    const { affected } = await manager.delete(Identity, { id: identity.id, isVerified: false });
    if (affected !== 1) return false;
    await this.withdrawMails(manager, identity);
    return true;
  }

  /** Removes a mail, confirmed or not, with the links that were sent to it. */
  async remove(manager: EntityManager, identity: Identity): Promise<void> {
    await manager.delete(Identity, { id: identity.id });
    await this.withdrawMails(manager, identity);
  }

  /** The links in queued mails no longer work. */
  private async withdrawMails(manager: EntityManager, { userId }: Identity): Promise<void> {
    await this.outbox.withdraw(manager, userId, ['verify-mail', 'password-reset']);
  }

  private findPendingAfter(
    { createdAt, id }: Pick<Identity, 'createdAt' | 'id'>,
    time: number,
  ): Promise<Identity[]> {
    return this.dataSource.manager
      .createQueryBuilder(Identity, 'identity')
      .where('identity.isVerified = :isPending', { isPending: false })
      .andWhere('identity.createdAt BETWEEN :createdAt AND :time', { createdAt, time: time - 1 })
      .andWhere('(identity.createdAt > :createdAt OR identity.id > :id)', { id })
      .orderBy('identity.createdAt')
      .addOrderBy('identity.id')
      .limit(PENDING_BATCH)
      .getMany();
  }

  private async makeFree(manager: EntityManager, applicationId: number, mail: string): Promise<void> {
    const identity = await this.find(applicationId, mail, manager);
    if (!identity) return;
    if (identity.isVerified) throw new PlutoError('mailAlreadyRegistered');
    // The condition of the deletion decides: the mail may be confirmed or claimed again concurrently.
    if (!(await this.deletePending(manager, identity))) throw new RetryTransaction();
  }

  private insert(
    manager: EntityManager,
    { id, applicationId }: User,
    identity: Pick<Identity, 'mail' | 'mailKey' | 'isVerified'>,
  ): Promise<Identity> {
    return manager.save(Identity, {
      userId: id,
      applicationId,
      loginType: 'mail' as const,
      subjectKey: comparisonKey(identity.mail),
      ...identity,
      createdAt: nowSeconds(),
    });
  }
}
