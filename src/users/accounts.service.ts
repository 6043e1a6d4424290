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

  async confirmMail(manager: EntityManager, identityId: number): Promise<void> {
    await manager.update(Identity, { id: identityId }, { isVerified: true });
  }

  async setPassword(manager: EntityManager, userId: number, passwordHash: string): Promise<void> {
    await manager.update(User, { id: userId }, { passwordHash, updatedAt: nowSeconds() });
  }

  /** Replaces a hash by a stronger one of the same password, unless the password was changed meanwhile. */
  async upgradePasswordHash(userId: number, from: string, to: string): Promise<void> {
    await this.dataSource.manager.update(User, { id: userId, passwordHash: from }, { passwordHash: to });
  }

  private async removePending(manager: EntityManager, applicationId: number, mail: string): Promise<void> {
    const identity = await this.findIdentity(applicationId, mail, manager);
    if (!identity) return;
    if (identity.isVerified) throw new PlutoError('mailAlreadyRegistered');
    // The condition decides, not the look before it: the account may be confirmed or replaced at the same moment.
    const { affected } = await manager.delete(Identity, { id: identity.id, isVerified: false });
    if (affected !== 1) throw new RetryTransaction();
    await manager.delete(User, { id: identity.userId });
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
