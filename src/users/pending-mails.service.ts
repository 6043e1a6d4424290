import { Injectable } from '@nestjs/common';
import { LessThan, LessThanOrEqual, MoreThan, Not, type EntityManager } from 'typeorm';
import { randomToken } from '../common/crypto.js';
import { mailKey } from '../common/mail-addresses.js';
import { comparisonKey } from '../common/text-keys.js';
import { nowSeconds } from '../common/time.js';
import { PlutoDataSource } from '../database/pluto-data-source.js';
import { RetryTransaction } from '../database/transactions.js';
import { SecurityEvents } from '../events/security-events.js';
import { OutboxService } from '../mail/outbox.service.js';
import type { MailAccount, NewAccount } from './accounts.service.js';
import { Identity } from './identity.entity.js';
import { SearchIndex } from './search-index.service.js';
import { User } from './user.entity.js';

export interface PendingMail {
  mail: string;
  /** When it expires. */
  until: number;
  /** By which administrators find the account; `''` for none. */
  searchKey: string;
}

const BATCH = 500;

/**
 * Mails that nobody has confirmed yet. Any number of accounts may have the same mail pending, so that none of
 * them keeps out the owner of the mailbox or ends the registration of another. An account that has nothing
 * but a pending mail is a pending registration: its row holds the handle, by the same unique key as that of
 * every account, and nobody can sign in to it.
 */
@Injectable()
export class PendingMailsService {
  constructor(
    private readonly dataSource: PlutoDataSource,
    private readonly outbox: OutboxService,
    private readonly events: SecurityEvents,
    private readonly searchIndex: SearchIndex,
  ) {}

  /** As `insert`. It is in time to be ended by a concurrent confirmation of the mail, or begins again. */
  async claim(manager: EntityManager, user: User, mail: PendingMail): Promise<Identity> {
    const identity = await this.insert(manager, user, mail);
    // Waits for a confirmation that is not committed yet; one that comes later finds the row just inserted.
    const { affected } = await manager.update(
      Identity,
      { applicationId: user.applicationId, loginType: 'mail', subjectKey: mailKey(mail.mail) },
      { isVerified: true },
    );
    if (affected !== 0) throw new RetryTransaction();
    return identity;
  }

  /** Adds a pending mail to an account without a mail. */
  async insert(
    manager: EntityManager,
    { id: userId, applicationId }: User,
    { mail, until, searchKey }: PendingMail,
  ): Promise<Identity> {
    const identity = await manager.save(Identity, {
      userId,
      applicationId,
      loginType: 'mail' as const,
      // Random, since the unique key is for confirmed mails; unlike theirs it contains no `@`.
      subjectKey: randomToken(),
      mail,
      mailKey: searchKey,
      isVerified: false,
      pendingKey: mailKey(mail),
      pendingUntil: until,
      isContested: false,
      createdAt: nowSeconds(),
    });
    await this.searchIndex.refresh(manager, userId);
    return identity;
  }

  /** Gives a pending mail a new lifetime. @returns false if it was confirmed or removed meanwhile */
  async renew(manager: EntityManager, identity: Identity, until: number): Promise<boolean> {
    const { affected } = await manager.update(
      Identity,
      { id: identity.id, isVerified: false },
      { pendingUntil: until },
    );
    identity.pendingUntil = until;
    return affected === 1;
  }

  /** Who has the mail pending, the newest first. */
  async findAll(manager: EntityManager, applicationId: number, mail: string): Promise<MailAccount[]> {
    const identities = await manager.find(Identity, {
      where: { applicationId, pendingKey: mailKey(mail), pendingUntil: MoreThan(nowSeconds()) },
      order: { id: 'DESC' },
    });
    const found: MailAccount[] = [];
    for (const identity of identities) {
      const user = await manager.findOneBy(User, { id: identity.userId });
      if (user) found.push({ user, identity });
    }
    return found;
  }

  /** The account of a handle, if its mail is pending. */
  async findByHandle(manager: EntityManager, applicationId: number, handle: string): Promise<MailAccount[]> {
    const user = await manager.findOneBy(User, { applicationId, handleKey: comparisonKey(handle) });
    const identity = user && (await this.findOf(manager, user.id, nowSeconds()));
    return identity ? [{ user, identity }] : [];
  }

  /** The pending registration with that mail, handle and password hash. */
  async findRegistration(
    manager: EntityManager,
    { applicationId, handle, mail, name, passwordHash }: NewAccount & { mail: string },
  ): Promise<MailAccount | null> {
    const [found] = await this.findByHandle(manager, applicationId, handle);
    if (!found || found.identity.pendingKey !== mailKey(mail)) return null;
    if (found.user.passwordHash === null || found.user.passwordHash !== passwordHash) return null;
    await manager.update(User, { id: found.user.id }, { name, nameKey: comparisonKey(name) });
    await this.searchIndex.refresh(manager, found.user.id);
    return { ...found, user: { ...found.user, name } };
  }

  /**
   * Whether the mail was pending elsewhere within the lifetime of this one, so that its owner may hold links
   * of several people. Rows of the others count until they are deleted, and are remembered then.
   */
  async isContested(manager: EntityManager, identity: Identity): Promise<boolean> {
    return identity.isContested || manager.existsBy(Identity, rivalsOf(identity));
  }

  /**
   * Removes a pending mail.
   * @param expiredAt if given, only if the mail has expired by then
   * @returns false if it was confirmed, renewed or removed meanwhile
   */
  async remove(manager: EntityManager, identity: Identity, expiredAt?: number): Promise<boolean> {
    const { affected } = await manager.delete(Identity, {
      id: identity.id,
      isVerified: false,
      ...(expiredAt !== undefined && { pendingUntil: LessThanOrEqual(expiredAt) }),
    });
    if (affected !== 1) return false;
    await manager.update(Identity, rivalsOf(identity), { isContested: true });
    // Their links are gone with the identity.
    await this.outbox.withdraw(manager, identity.userId, ['verify-mail', 'password-reset']);
    await this.searchIndex.refresh(manager, identity.userId);
    return true;
  }

  /** Ends everything that is pending for a mail, which has been confirmed. */
  async endAll(manager: EntityManager, applicationId: number, pendingKey: string): Promise<void> {
    const claims = { applicationId, pendingKey };
    // Waits for rows that are not committed yet, so that the next statement finds them.
    await manager.update(Identity, claims, { pendingUntil: 0 });
    for (const identity of await manager.findBy(Identity, claims)) await this.end(manager, identity);
  }

  /** Deletes an expired registration, which frees its handle. @returns whether the account was one */
  async free(manager: EntityManager, { id }: Pick<User, 'id'>): Promise<boolean> {
    const now = nowSeconds();
    const expired = await manager.findOneBy(Identity, {
      userId: id,
      isVerified: false,
      pendingUntil: LessThanOrEqual(now),
    });
    if (!expired || !(await this.end(manager, expired, now))) return false;
    return !(await manager.existsBy(User, { id }));
  }

  /**
   * Deletes a pending mail, and its account unless that has another way to sign in.
   * @returns false if it was confirmed, renewed or removed meanwhile
   */
  async end(manager: EntityManager, identity: Identity, expiredAt?: number): Promise<boolean> {
    if (!(await this.remove(manager, identity, expiredAt))) return false;
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

  /** Pending mails that have expired, read in batches. */
  async *findExpired(time: number): AsyncGenerator<Identity> {
    for (let last: Pick<Identity, 'pendingUntil' | 'id'> | undefined = { pendingUntil: 0, id: 0 }; last;) {
      const batch: Identity[] = await this.findExpiredAfter(last, time);
      yield* batch;
      last = batch.at(-1);
    }
  }

  private findOf(manager: EntityManager, userId: number, now: number): Promise<Identity | null> {
    const pending = { userId, loginType: 'mail' as const, isVerified: false, pendingUntil: MoreThan(now) };
    return manager.findOneBy(Identity, pending);
  }

  private findExpiredAfter(
    { pendingUntil, id }: Pick<Identity, 'pendingUntil' | 'id'>,
    time: number,
  ): Promise<Identity[]> {
    return this.dataSource.manager
      .createQueryBuilder(Identity, 'identity')
      .where('identity.pendingUntil BETWEEN :pendingUntil AND :time', { pendingUntil, time })
      .andWhere('(identity.pendingUntil > :pendingUntil OR identity.id > :id)', { id })
      .orderBy('identity.pendingUntil')
      .addOrderBy('identity.id')
      .limit(BATCH)
      .getMany();
  }
}

/** Where the mail is pending elsewhere, in a lifetime that overlaps this one. */
function rivalsOf({ id, applicationId, pendingKey, createdAt, pendingUntil }: Identity) {
  return {
    id: Not(id),
    applicationId,
    pendingKey: pendingKey ?? '',
    createdAt: LessThan(pendingUntil ?? 0),
    pendingUntil: MoreThan(createdAt),
  };
}
