import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, In, IsNull, LessThanOrEqual, MoreThan, Or, type EntityManager } from 'typeorm';
import { seal, unseal } from '../common/crypto.js';
import type { Language } from '../common/languages.js';
import { nowSeconds } from '../common/time.js';
import type { MailContexts, MailName } from '../common/views/contexts.js';
import { SecretKey } from '../config/secret-key.js';
import { Purge } from '../database/jobs/purge.js';
import { afterCommit, Transactions } from '../database/transactions.js';
import { Mail } from './mail.entity.js';

export interface NewMail<Name extends MailName = MailName> {
  /** The account that the mail is about. */
  userId: number;
  template: Name;
  language: Language;
  recipient: string;
  context: MailContexts[Name];
  /** When the link in it expires, in seconds since the epoch. */
  expiresAt: number;
}

/** A mail claimed by this worker, with its context decrypted. */
export interface ClaimedMail {
  id: number;
  claim: string;
  userId: number;
  template: MailName;
  language: Language;
  recipient: string;
  context: MailContexts[MailName];
  attempts: number;
  expiresAt: number;
}

/** Numbers of mails by state. */
export interface OutboxDepth {
  queued: number;
  failed: number;
  /** Seconds since the epoch; null when none is queued. */
  oldestQueuedAt: number | null;
}

/** How long a claim lasts: a live worker prolongs it, and after a worker's death another claims the mail. */
export const CLAIM_SECONDS = 180;
/** Maximum pause between attempts. A later time was set before the clock was set back, so the mail is due. */
export const LONGEST_PAUSE_SECONDS = 21_600;
/** Due immediately, whatever the clock says. */
const IMMEDIATELY = 0;
/** How long a failed mail is kept after its link has expired. */
const GIVEN_UP_RETENTION_SECONDS = 30 * 24 * 60 * 60;

/**
 * The queue of mails. A mail is written in the transaction that causes it, so that either both are stored or
 * none, and sent by the instance that claims it.
 */
@Injectable()
export class OutboxService {
  private readonly sealingKey: Buffer;
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly purge: Purge,
    secretKey: SecretKey,
  ) {
    this.sealingKey = secretKey.derive('mail-outbox');
  }

  /** Queues a mail; workers of this process are woken after the commit, others find it at their next poll. */
  async enqueue<Name extends MailName>(manager: EntityManager, mail: NewMail<Name>): Promise<void> {
    const now = nowSeconds();
    const { context, ...columns } = mail;
    await manager.insert(Mail, {
      ...columns,
      sealedContext: seal(this.sealingKey, sealContext(mail), JSON.stringify(context)),
      state: 'queued',
      attempts: 0,
      nextAttemptAt: IMMEDIATELY,
      claim: null,
      claimedUntil: null,
      lastError: '',
      createdAt: now,
    });
    afterCommit(manager, () => this.listeners.forEach((listener) => listener()));
  }

  /** Registers a callback for mails queued by this process. */
  onQueued(listener: () => void): void {
    this.listeners.add(listener);
  }

  /** Deletes unsent mails of one template to an account, whose links are no longer valid. */
  async withdraw(manager: EntityManager, userId: number, templates: MailName[]): Promise<void> {
    await manager.delete(Mail, { userId, template: In(templates) });
  }

  /** Claims the mail that has been due longest; no other worker gets it while the claim lasts. */
  async claimNext(): Promise<ClaimedMail | null> {
    const now = nowSeconds();
    const due = await this.dataSource.manager.find(Mail, {
      where: {
        state: 'queued',
        nextAttemptAt: Or(LessThanOrEqual(now), MoreThan(now + LONGEST_PAUSE_SECONDS)),
        claimedUntil: Or(IsNull(), LessThanOrEqual(now), MoreThan(now + CLAIM_SECONDS)),
      },
      order: { nextAttemptAt: 'ASC', id: 'ASC' },
      take: 10,
    });
    for (const mail of due) {
      const claimed = await this.claim(mail, now);
      if (claimed) return claimed;
    }
    return null;
  }

  /** Prolongs the claim while the mail is being sent. */
  async prolong({ id, claim }: Pick<ClaimedMail, 'id' | 'claim'>): Promise<void> {
    await this.dataSource.manager.update(Mail, { id, claim }, { claimedUntil: nowSeconds() + CLAIM_SECONDS });
  }

  async markSent({ id, claim }: ClaimedMail): Promise<void> {
    await this.transactions.run((manager) => manager.delete(Mail, { id, claim }));
  }

  /** Queues the mail for another attempt. */
  async postpone({ id, claim }: ClaimedMail, pauseSeconds: number, reason: string): Promise<void> {
    await this.settle(id, claim, { nextAttemptAt: nowSeconds() + pauseSeconds, lastError: reason });
  }

  /** Marks the mail as failed; it stays in the table for the operator. */
  async fail({ id, claim }: Pick<ClaimedMail, 'id' | 'claim'>, reason: string): Promise<void> {
    await this.settle(id, claim, { state: 'failed', lastError: reason });
  }

  list(onlyFailed: boolean): Promise<Mail[]> {
    return this.dataSource.manager.find(Mail, {
      where: onlyFailed ? { state: 'failed' } : {},
      order: { id: 'ASC' },
    });
  }

  async depth(): Promise<OutboxDepth> {
    const { manager } = this.dataSource;
    const oldestQueuedAt = await manager.minimum(Mail, 'createdAt', { state: 'queued' });
    return {
      queued: await manager.countBy(Mail, { state: 'queued' }),
      failed: await manager.countBy(Mail, { state: 'failed' }),
      oldestQueuedAt: oldestQueuedAt === null ? null : Number(oldestQueuedAt),
    };
  }

  /**
   * Queues a failed mail again.
   * @returns whether there was such a mail with a valid link
   */
  async retry(id: number): Promise<boolean> {
    const now = nowSeconds();
    const { affected } = await this.dataSource
      .createQueryBuilder()
      .update(Mail)
      .set({
        state: 'queued',
        attempts: 0,
        nextAttemptAt: IMMEDIATELY,
        claim: null,
        claimedUntil: null,
        lastError: '',
      })
      .where('id = :id AND state = :state AND expires_at > :now', { id, state: 'failed', now })
      .execute();
    return affected === 1;
  }

  /** Deletes failed mails whose links expired a month ago. */
  async purgeGivenUp(signal: AbortSignal): Promise<void> {
    const expiresAt = LessThanOrEqual(nowSeconds() - GIVEN_UP_RETENTION_SECONDS);
    const due = { where: { state: 'failed' as const, expiresAt }, order: { expiresAt: 'ASC' as const } };
    await this.purge.where(Mail, due, signal);
  }

  private async claim(mail: Mail, now: number): Promise<ClaimedMail | null> {
    const claim = randomBytes(16).toString('base64url');
    const unclaimed = {
      id: mail.id,
      state: 'queued',
      claim: mail.claim ?? IsNull(),
      attempts: mail.attempts,
    } as const;
    const change = { claim, claimedUntil: now + CLAIM_SECONDS, attempts: mail.attempts + 1 };
    // In a transaction because of its retries: even a single statement can deadlock with other workers.
    const { affected } = await this.transactions.run((manager) => manager.update(Mail, unclaimed, change));
    if (affected !== 1) return null;
    return { ...mail, claim, context: await this.open(mail, claim), attempts: mail.attempts + 1 };
  }

  private async open(mail: Mail, claim: string): Promise<ClaimedMail['context']> {
    try {
      const context = unseal(this.sealingKey, sealContext(mail), mail.sealedContext);
      return JSON.parse(context) as ClaimedMail['context'];
    } catch (error) {
      // Damaged, or sealed under another SECRET_KEY: no later attempt can succeed.
      await this.fail({ id: mail.id, claim }, 'its content cannot be decrypted');
      throw error;
    }
  }

  private async settle(id: number, claim: string, change: Partial<Mail>): Promise<void> {
    await this.transactions.run((manager) =>
      manager.update(Mail, { id, claim }, { ...change, claim: null, claimedUntil: null }),
    );
  }
}

function sealContext({ userId, template }: { userId: number; template: string }): string {
  return `${template}:${userId}`;
}
