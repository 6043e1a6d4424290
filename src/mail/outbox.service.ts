import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, In, IsNull, LessThanOrEqual, type EntityManager } from 'typeorm';
import { seal, unseal } from '../common/crypto.js';
import type { Language } from '../common/languages.js';
import { nowSeconds } from '../common/time.js';
import type { MailContexts, MailName } from '../common/views/contexts.js';
import { SecretKey } from '../config/secret-key.js';
import { afterCommit } from '../database/transactions.js';
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

/** A mail that this worker holds, opened. */
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

/** How many mails are on their way. */
export interface OutboxDepth {
  queued: number;
  failed: number;
  /** Seconds since the epoch; null when none is queued. */
  oldestQueuedAt: number | null;
}

/** How long a worker may take to send a mail before another tries: longer than all SMTP timeouts together. */
const CLAIM_SECONDS = 180;

/**
 * The mails on their way. A mail is written in the transaction of what caused it, so that neither is there without
 * the other, and sent by whichever instance claims it.
 */
@Injectable()
export class OutboxService {
  private readonly sealingKey: Buffer;
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly dataSource: DataSource,
    secretKey: SecretKey,
  ) {
    this.sealingKey = secretKey.derive('mail-outbox');
  }

  /** Queues a mail; workers of this process are told after the commit, others find it when they next look. */
  async enqueue<Name extends MailName>(manager: EntityManager, mail: NewMail<Name>): Promise<void> {
    const now = nowSeconds();
    const { context, ...columns } = mail;
    await manager.insert(Mail, {
      ...columns,
      sealedContext: seal(this.sealingKey, sealContext(mail), JSON.stringify(context)),
      state: 'queued',
      attempts: 0,
      nextAttemptAt: now,
      claim: null,
      claimedUntil: null,
      lastError: '',
      createdAt: now,
    });
    afterCommit(manager, () => this.listeners.forEach((listener) => listener()));
  }

  /** Calls back whenever this process has queued a mail. */
  onQueued(listener: () => void): void {
    this.listeners.add(listener);
  }

  /** Withdraws the mails of that kind to the account that are not sent yet: their links are dead. */
  async withdraw(manager: EntityManager, userId: number, templates: MailName[]): Promise<void> {
    await manager.delete(Mail, { userId, template: In(templates) });
  }

  /** Takes the mail that is due longest; no other worker gets it while the claim lasts. */
  async claimNext(): Promise<ClaimedMail | null> {
    const now = nowSeconds();
    const due = await this.dataSource.manager.find(Mail, {
      where: [
        { state: 'queued', nextAttemptAt: LessThanOrEqual(now), claimedUntil: IsNull() },
        { state: 'queued', nextAttemptAt: LessThanOrEqual(now), claimedUntil: LessThanOrEqual(now) },
      ],
      order: { nextAttemptAt: 'ASC', id: 'ASC' },
      take: 10,
    });
    for (const mail of due) {
      const claimed = await this.claim(mail, now);
      if (claimed) return claimed;
    }
    return null;
  }

  async markSent({ id, claim }: ClaimedMail): Promise<void> {
    await this.dataSource.manager.delete(Mail, { id, claim });
  }

  /** Puts the mail back to be tried again. */
  async postpone({ id, claim }: ClaimedMail, pauseSeconds: number, reason: string): Promise<void> {
    await this.settle(id, claim, { nextAttemptAt: nowSeconds() + pauseSeconds, lastError: reason });
  }

  /** Gives the mail up; it stays in the table for an operator to see. */
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
   * Queues a given-up mail anew.
   * @returns whether there was such a mail whose link is still good
   */
  async retry(id: number): Promise<boolean> {
    const now = nowSeconds();
    const { affected } = await this.dataSource
      .createQueryBuilder()
      .update(Mail)
      .set({
        state: 'queued',
        attempts: 0,
        nextAttemptAt: now,
        claim: null,
        claimedUntil: null,
        lastError: '',
      })
      .where('id = :id AND state = :state AND expires_at > :now', { id, state: 'failed', now })
      .execute();
    return affected === 1;
  }

  /** Deletes given-up mails whose links expired before that time. */
  async purgeFailedBefore(time: number): Promise<void> {
    await this.dataSource.manager.delete(Mail, { state: 'failed', expiresAt: LessThanOrEqual(time) });
  }

  private async claim(mail: Mail, now: number): Promise<ClaimedMail | null> {
    const claim = randomBytes(16).toString('base64url');
    const { affected } = await this.dataSource.manager.update(
      Mail,
      { id: mail.id, state: 'queued', claim: mail.claim ?? IsNull(), attempts: mail.attempts },
      { claim, claimedUntil: now + CLAIM_SECONDS, attempts: mail.attempts + 1 },
    );
    if (affected !== 1) return null;
    return { ...mail, claim, context: await this.open(mail, claim), attempts: mail.attempts + 1 };
  }

  private async open(mail: Mail, claim: string): Promise<ClaimedMail['context']> {
    try {
      const context = unseal(this.sealingKey, sealContext(mail), mail.sealedContext);
      return JSON.parse(context) as ClaimedMail['context'];
    } catch (error) {
      // Damaged, or sealed under another SECRET_KEY: no later attempt would do better.
      await this.fail({ id: mail.id, claim }, 'its content cannot be decrypted');
      throw error;
    }
  }

  private async settle(id: number, claim: string, change: Partial<Mail>): Promise<void> {
    await this.dataSource.manager.update(Mail, { id, claim }, { ...change, claim: null, claimedUntil: null });
  }
}

function sealContext({ userId, template }: { userId: number; template: string }): string {
  return `${template}:${userId}`;
}
