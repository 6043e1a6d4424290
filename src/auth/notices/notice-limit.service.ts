import { Injectable } from '@nestjs/common';
import { LessThanOrEqual, type EntityManager } from 'typeorm';
import { nowSeconds } from '../../common/time.js';
import { isUniqueViolation } from '../../database/constraints.js';
import { Purge } from '../../database/jobs/purge.js';
import { SentNotice } from './sent-notice.entity.js';

const INTERVAL_SECONDS = 3600;

/** Allows one notice of a kind per account and hour, whichever instance sends it. */
@Injectable()
export class NoticeLimit {
  constructor(private readonly purge: Purge) {}

  /**
   * Takes the turn of this hour; it is given back if the transaction is rolled back.
   * @returns whether a notice of that kind may be sent now
   */
  async take(manager: EntityManager, userId: number, kind: string): Promise<boolean> {
    const sentAt = nowSeconds();
    // Not renewed but replaced: a row that is due for deletion stays due.
    await manager.delete(SentNotice, { userId, kind, sentAt: LessThanOrEqual(sentAt - INTERVAL_SECONDS) });
    try {
      await manager.insert(SentNotice, { userId, kind, sentAt });
      return true;
    } catch (error) {
      if (isUniqueViolation(error, 'uq_sent_notices_kind')) return false;
      throw error;
    }
  }

  /** Lets the next notice of the kind be sent within the hour. */
  async giveBack(manager: EntityManager, userId: number, kind: string): Promise<void> {
    await manager.delete(SentNotice, { userId, kind });
  }

  async purgeOld(signal: AbortSignal): Promise<void> {
    const where = { sentAt: LessThanOrEqual(nowSeconds() - INTERVAL_SECONDS) };
    await this.purge.where(SentNotice, { where, order: { sentAt: 'ASC' } }, signal);
  }
}
