import { Injectable } from '@nestjs/common';
import { In, type EntityManager } from 'typeorm';
import { chooseLanguage, type Language } from '../common/languages.js';
import { mailKey, tidyMail } from '../common/mail-addresses.js';
import { comparisonKey } from '../common/text-keys.js';
import { nowSeconds } from '../common/time.js';
import { PlutoDataSource } from '../database/pluto-data-source.js';
import { requestContextOf } from '../database/transactions.js';
import { execute } from '../database/sql-statement.js';
import { Identity } from './identity.entity.js';
import { User } from './user.entity.js';

export interface NewAccount {
  applicationId: number;
  handle: string;
  /** Whether Pluto made it up; by default its owner has chosen it. */
  isHandleGenerated?: boolean;
  name: string;
  /** URL of an external picture. */
  avatarUrl?: string;
  /** Null for an account without a password. */
  passwordHash: string | null;
}

/** An account with its mail. */
export interface MailAccount {
  user: User;
  identity: Identity;
}

/** What a password is verified against. */
export interface StoredCredentials {
  userId: number;
  /** Null for an account without a password. */
  passwordHash: string | null;
  /** Whether its mail is confirmed. */
  isVerified: boolean;
}

// Plain SQL, since every login runs these before its password is hashed.
const CREDENTIALS = 'SELECT u.id AS userId, u.password_hash AS passwordHash, i.is_verified AS isVerified';
/** Pending registrations of the mail are found in the same statement, so that they take the same time. */
const BY_MAIL = `${CREDENTIALS} FROM identities i JOIN users u ON u.id = i.user_id
  WHERE i.application_id = ? AND i.login_type = 'mail' AND i.subject_key = ?
  UNION ALL SELECT * FROM (${CREDENTIALS} FROM identities i JOIN users u ON u.id = i.user_id
    WHERE i.application_id = ? AND i.pending_key = ? AND i.pending_until > ?
    ORDER BY i.id DESC LIMIT 100) pending`;
const BY_HANDLE = `${CREDENTIALS} FROM users u JOIN identities i ON i.user_id = u.id AND i.login_type = 'mail'
  WHERE u.application_id = ? AND u.handle_key = ? AND (i.is_verified = 1 OR i.pending_until > ?)`;

const LOCK_WITH_PASSWORD = 'UPDATE users SET updated_at = updated_at WHERE id = ? AND password_hash = ?';

/** Creates and finds accounts. */
@Injectable()
export class AccountsService {
  constructor(private readonly dataSource: PlutoDataSource) {}

  /** Stores an account; nobody can sign in until it has an identity. Fails if the handle is taken. */
  create(manager: EntityManager, account: NewAccount): Promise<User> {
    const now = nowSeconds();
    return manager.save(User, {
      applicationId: account.applicationId,
      handle: account.handle,
      handleKey: comparisonKey(account.handle),
      isHandleUpdated: account.isHandleGenerated !== true,
      name: account.name,
      nameKey: comparisonKey(account.name),
      avatarUrl: account.avatarUrl ?? '',
      avatarFile: null,
      passwordHash: account.passwordHash,
      language: languageOf(manager),
      createdAt: now,
      updatedAt: now,
    });
  }

  /**
   * Locks the account's identities until the end of the transaction. As the first statement of a transaction
   * it also makes later reads see what others have committed.
   * @returns whether the account exists
   */
  async lock(manager: EntityManager, userId: number): Promise<boolean> {
    const { affected } = await manager.update(User, { id: userId }, { updatedAt: () => 'updated_at' });
    return affected === 1;
  }

  /** Like `lock`, if the account still has that password. */
  async lockWithPassword(manager: EntityManager, userId: number, passwordHash: string): Promise<boolean> {
    return (await execute(manager, { sql: LOCK_WITH_PASSWORD, parameters: [userId, passwordHash] })) === 1;
  }

  find(userId: number, manager: EntityManager = this.dataSource.manager): Promise<User | null> {
    return manager.findOneBy(User, { id: userId });
  }

  /**
   * Finds the credentials of a mail, or of a handle whose account has a mail. Anything with an `@` is a mail.
   * @returns those of the account that has confirmed the mail, or else of those where it is pending, the
   *   newest first
   */
  async findCredentials(applicationId: number, typed: string): Promise<StoredCredentials[]> {
    const account = tidyMail(typed);
    const now = nowSeconds();
    const [key, handleKey] = [mailKey(account), comparisonKey(account)];
    const found = account.includes('@')
      ? await this.readCredentials(BY_MAIL, [applicationId, key, applicationId, key, now])
      : await this.readCredentials(BY_HANDLE, [applicationId, handleKey, now]);
    const confirmed = found.filter(({ isVerified }) => isVerified);
    return confirmed.length > 0 ? confirmed : found;
  }

  /** The account that has confirmed the mail. */
  async findByMail(
    applicationId: number,
    mail: string,
    manager: EntityManager = this.dataSource.manager,
  ): Promise<MailAccount | null> {
    const subjectKey = mailKey(mail);
    const identity = await manager.findOneBy(Identity, { applicationId, loginType: 'mail', subjectKey });
    const user = identity && (await this.find(identity.userId, manager));
    return user ? { user, identity } : null;
  }

  /** Whether the account of a handle has confirmed its mail. */
  async hasMail(applicationId: number, handle: string): Promise<boolean> {
    const user = await this.findUserByHandle(applicationId, handle);
    const confirmed = { userId: user?.id ?? 0, loginType: 'mail', isVerified: true } as const;
    return this.dataSource.manager.existsBy(Identity, confirmed);
  }

  /** The account of a confirmed mail address, or of a handle, with or without a mail. */
  async findUser(applicationId: number, typed: string): Promise<User | null> {
    const account = tidyMail(typed);
    if (!account.includes('@')) return this.findUserByHandle(applicationId, account);
    return (await this.findByMail(applicationId, account))?.user ?? null;
  }

  /** The accounts with those ids and their confirmed mails, `''` for none; oldest first. */
  async findWithMail(userIds: number[]): Promise<{ user: User; mail: string }[]> {
    const { manager } = this.dataSource;
    const users = await manager.find(User, { where: { id: In(userIds) }, order: { id: 'ASC' } });
    const mails = { userId: In(userIds), loginType: 'mail', isVerified: true } as const;
    const identities = await manager.findBy(Identity, mails);
    return users.map((user) => ({
      user,
      mail: identities.find(({ userId }) => userId === user.id)?.mail ?? '',
    }));
  }

  /** The ids that no account has. */
  async missing(userIds: readonly number[]): Promise<number[]> {
    const users = await this.dataSource.manager.find(User, {
      select: { id: true },
      where: { id: In([...userIds]) },
    });
    const known = new Set(users.map(({ id }) => id));
    return userIds.filter((id) => !known.has(id));
  }

  /** The account that a mail identity belongs to; null if either is deleted. */
  async findByIdentity(
    identityId: number,
    manager: EntityManager = this.dataSource.manager,
  ): Promise<MailAccount | null> {
    const identity = await manager.findOneBy(Identity, { id: identityId });
    const user = identity && (await this.find(identity.userId, manager));
    return user ? { user, identity } : null;
  }

  /** The account's identities, confirmed or not, oldest first. */
  identitiesOf(userId: number, manager: EntityManager = this.dataSource.manager): Promise<Identity[]> {
    return manager.find(Identity, { where: { userId }, order: { id: 'ASC' } });
  }

  /** The account's mail, confirmed or not. */
  mailOf(userId: number, manager: EntityManager = this.dataSource.manager): Promise<Identity | null> {
    return manager.findOneBy(Identity, { userId, loginType: 'mail' });
  }

  /** Whether the account has a confirmed identity. */
  isVerified(userId: number, manager: EntityManager = this.dataSource.manager): Promise<boolean> {
    return manager.existsBy(Identity, { userId, isVerified: true });
  }

  /** Remembers the language of the request, in which notices are written. */
  async setLanguage(manager: EntityManager, userId: number): Promise<void> {
    const language = languageOf(manager);
    if (language !== '') await manager.update(User, { id: userId }, { language });
  }

  /** @param passwordHash null for none */
  async setPassword(manager: EntityManager, userId: number, passwordHash: string | null): Promise<void> {
    await manager.update(User, { id: userId }, { passwordHash, updatedAt: nowSeconds() });
  }

  /**
   * Replaces a password hash with a new hash of the same password.
   * @returns whether the account still had the old one
   */
  async replacePasswordHash(userId: number, former: string, renewed: string): Promise<boolean> {
    const account = { id: userId, passwordHash: former };
    const { affected } = await this.dataSource.manager.update(User, account, { passwordHash: renewed });
    return affected === 1;
  }

  private async readCredentials(statement: string, parameters: unknown[]): Promise<StoredCredentials[]> {
    const rows = await this.dataSource.read<StoredCredentials>(statement, parameters);
    return rows.map(({ userId, passwordHash, isVerified }) => ({
      userId,
      passwordHash,
      isVerified: Boolean(isVerified),
    }));
  }

  private findUserByHandle(applicationId: number, handle: string): Promise<User | null> {
    return this.dataSource.manager.findOneBy(User, { applicationId, handleKey: comparisonKey(handle) });
  }
}

function languageOf(manager: EntityManager): Language | '' {
  const context = requestContextOf(manager);
  return context ? chooseLanguage(context.acceptLanguage) : '';
}
