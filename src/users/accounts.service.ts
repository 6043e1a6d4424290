import { Injectable } from '@nestjs/common';
import { DataSource, In, type EntityManager } from 'typeorm';
import { PlutoError } from '../common/errors.js';
import { comparisonKey } from '../common/text-keys.js';
import { nowSeconds } from '../common/time.js';
import { violatedUniqueKey } from '../database/constraints.js';
import { RetryTransaction } from '../database/transactions.js';
import { Identity } from './identity.entity.js';
import { User } from './user.entity.js';

export interface NewMailAccount {
  applicationId: number;
  mail: string;
  handle: string;
  name: string;
  passwordHash: string;
  isVerified: boolean;
}

/** An account with the mail that it signs in by. */
export interface MailAccount {
  user: User;
  identity: Identity;
}

const PENDING_BATCH = 1000;

/** Makes accounts and finds them by what people sign in with. */
@Injectable()
export class AccountsService {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Makes an account with a mail. An account that was registered for the same mail and never confirmed is replaced:
   * it must not keep the mailbox's owner out.
   * @throws PlutoError mailAlreadyRegistered | userIdExists
   */
  async createWithMail(manager: EntityManager, account: NewMailAccount): Promise<MailAccount> {
    await this.removePending(manager, account.applicationId, account.mail);
    try {
      return await this.insert(manager, account);
    } catch (error) {
      const key = violatedUniqueKey(error);
      if (key !== 'uq_users_handle' && key !== 'uq_identities_subject') throw error;
      // Someone registered the mail meanwhile; the next attempt sees whether that account is confirmed. Its handle
      // may be this one: the same form sent twice.
      const registered = await this.findIdentity(account.applicationId, account.mail, manager);
      if (registered || key === 'uq_identities_subject') throw new RetryTransaction();
      throw new PlutoError('userIdExists', { cause: error });
    }
  }

  findIdentity(
    applicationId: number,
    mail: string,
    manager: EntityManager = this.dataSource.manager,
  ): Promise<Identity | null> {
    return manager.findOneBy(Identity, { applicationId, loginType: 'mail', subjectKey: comparisonKey(mail) });
  }

  /** Finds the account of a mail address, or of a handle: what has an `@` is a mail. Phones add a blank at the end. */
  async findByAccount(applicationId: number, typed: string): Promise<MailAccount | null> {
    const account = typed.trim();
    return account.includes('@')
      ? this.findByMail(applicationId, account)
      : this.findByHandle(applicationId, account);
  }

  async findByMail(applicationId: number, mail: string): Promise<MailAccount | null> {
    const identity = await this.findIdentity(applicationId, mail);
    const user = identity && (await this.find(identity.userId));
    return user ? { user, identity } : null;
  }

  async findByHandle(applicationId: number, handle: string): Promise<MailAccount | null> {
    const user = await this.dataSource.manager.findOneBy(User, {
      applicationId,
      handleKey: comparisonKey(handle),
    });
    const identity =
      user && (await this.dataSource.manager.findOneBy(Identity, { userId: user.id, loginType: 'mail' }));
    return identity ? { user, identity } : null;
  }

  /** The accounts of those ids that have a mail, oldest first. */
  async findWithMail(userIds: number[]): Promise<MailAccount[]> {
    const { manager } = this.dataSource;
    const users = await manager.find(User, { where: { id: In(userIds) }, order: { id: 'ASC' } });
    const identities = await manager.findBy(Identity, { userId: In(userIds), loginType: 'mail' });
    return users.flatMap((user) => {
      const identity = identities.find(({ userId }) => userId === user.id);
      return identity ? { user, identity } : [];
    });
  }

  find(userId: number, manager: EntityManager = this.dataSource.manager): Promise<User | null> {
    return manager.findOneBy(User, { id: userId });
  }

  /** Those of the ids that no account has. */
  async missing(userIds: readonly number[]): Promise<number[]> {
    const users = await this.dataSource.manager.find(User, {
      select: { id: true },
      where: { id: In([...userIds]) },
    });
    const known = new Set(users.map(({ id }) => id));
    return userIds.filter((id) => !known.has(id));
  }

  /** The account that a mail identity belongs to; null when either is gone. */
  async findByIdentity(
    identityId: number,
    manager: EntityManager = this.dataSource.manager,
  ): Promise<MailAccount | null> {
    const identity = await manager.findOneBy(Identity, { id: identityId });
    const user = identity && (await this.find(identity.userId, manager));
    return user ? { user, identity } : null;
  }

  /** Whether the account has proved one of its identities. */
  isVerified(userId: number, manager: EntityManager): Promise<boolean> {
    return manager.existsBy(Identity, { userId, isVerified: true });
  }

  async confirmMail(manager: EntityManager, identityId: number): Promise<void> {
    await manager.update(Identity, { id: identityId }, { isVerified: true });
  }

  async setPassword(manager: EntityManager, userId: number, passwordHash: string): Promise<void> {
    await manager.update(User, { id: userId }, { passwordHash, updatedAt: nowSeconds() });
  }

  /**
   * Replaces a hash by one of the same password, which may be the same hash, and locks the account until the end of
   * the transaction.
   * @returns whether the account is there and still had that hash
   */
  async replacePasswordHash(
    manager: EntityManager,
    userId: number,
    from: string,
    to: string,
  ): Promise<boolean> {
    const { affected } = await manager.update(User, { id: userId, passwordHash: from }, { passwordHash: to });
    return affected === 1;
  }

  /** The unconfirmed mails of accounts made before that time that have no other way to sign in; some of them. */
  findPendingBefore(time: number): Promise<Identity[]> {
    return this.dataSource.manager
      .createQueryBuilder(Identity, 'identity')
      .leftJoin(
        Identity,
        'verified',
        'verified.userId = identity.userId AND verified.isVerified = :isVerified',
        {
          isVerified: true,
        },
      )
      .where('identity.isVerified = :isPending AND identity.createdAt < :time', { isPending: false, time })
      .andWhere('verified.id IS NULL')
      .orderBy('identity.id')
      .limit(PENDING_BATCH)
      .getMany();
  }

  /** Keeps others from an unconfirmed account until the end of the transaction. @returns false when there is none */
  async lockPending(manager: EntityManager, { id }: Identity): Promise<boolean> {
    const { affected } = await manager.update(Identity, { id, isVerified: false }, { isVerified: false });
    return affected === 1;
  }

  /** Deletes an account whose mail is unconfirmed. @returns false when it was confirmed or replaced meanwhile */
  async deletePending(manager: EntityManager, { id, userId }: Identity): Promise<boolean> {
    const { affected } = await manager.delete(Identity, { id, isVerified: false });
    if (affected !== 1) return false;
    await manager.delete(User, { id: userId });
    return true;
  }

  private async removePending(manager: EntityManager, applicationId: number, mail: string): Promise<void> {
    const identity = await this.findIdentity(applicationId, mail, manager);
    if (!identity) return;
    if (identity.isVerified) throw new PlutoError('mailAlreadyRegistered');
    // The condition decides, not the look before it: the account may be confirmed or replaced at the same moment.
    if (!(await this.deletePending(manager, identity))) throw new RetryTransaction();
  }

  private async insert(manager: EntityManager, account: NewMailAccount): Promise<MailAccount> {
    const now = nowSeconds();
    const user = await manager.save(User, {
      applicationId: account.applicationId,
      handle: account.handle,
      handleKey: comparisonKey(account.handle),
      isHandleUpdated: false,
      name: account.name,
      nameKey: comparisonKey(account.name),
      avatarUrl: '',
      avatarFile: null,
      passwordHash: account.passwordHash,
      createdAt: now,
      updatedAt: now,
    });
    const identity = await manager.save(Identity, {
      userId: user.id,
      applicationId: account.applicationId,
      loginType: 'mail' as const,
      subjectKey: comparisonKey(account.mail),
      mail: account.mail,
      mailKey: comparisonKey(account.mail),
      isVerified: account.isVerified,
      createdAt: now,
    });
    return { user, identity };
  }
}
