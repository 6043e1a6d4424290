import { Injectable } from '@nestjs/common';
import { DataSource, LessThan, MoreThanOrEqual, type SelectQueryBuilder } from 'typeorm';
import { nowSeconds } from '../common/time.js';
import { badRequest } from '../common/validation.pipe.js';
import { Settings } from '../config/settings.js';
import { Purge } from '../database/jobs/purge.js';
import { Transactions } from '../database/transactions.js';
import { decodeCursor, encodeCursor } from './audit-cursor.js';
import { AuditEvent } from './audit-event.entity.js';
import { AuditRecorder } from './audit-recorder.service.js';

export interface AuditFilter {
  /** An undefined value matches everything. */
  equal: Partial<Record<'type' | 'applicationId' | 'userId' | 'actorId' | 'address' | 'requestId', unknown>>;
  /** Seconds since the epoch, inclusive. */
  since: number | undefined;
  /** Seconds since the epoch, exclusive. */
  until: number | undefined;
}

const DAY_SECONDS = 24 * 60 * 60;
/** Longer than any outage of housekeeping. */
const LATECOMER_SECONDS = 7 * DAY_SECONDS;
/** Accounts per query. */
const FORGOTTEN_BATCH = 100;

/** Reads the audit trail and deletes old events. */
@Injectable()
export class AuditTrailService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly purge: Purge,
    private readonly recorder: AuditRecorder,
    private readonly settings: Settings,
  ) {}

  /**
   * A page of the trail, newest first.
   * @param page.cursor `nextCursor` of the previous page; `''` for the first page
   * @returns `nextCursor` is `''` on the last page
   * @throws PlutoError badRequest for a malformed cursor
   */
  async list(
    filter: AuditFilter,
    { limit, cursor }: { limit: number; cursor: string },
  ): Promise<{ events: AuditEvent[]; nextCursor: string }> {
    const query = this.matching(filter);
    if (cursor !== '') startAfter(query, cursor);
    const found = await query
      .orderBy('event.createdAt', 'DESC')
      .addOrderBy('event.id', 'DESC')
      .limit(limit + 1)
      .getMany();
    const events = found.slice(0, limit);
    const last = events.at(-1);
    return { events, nextCursor: last && found.length > limit ? encodeCursor(last) : '' };
  }

  /** Deletes events past their retention, and completes the erasure of deleted accounts. */
  async purgeExpired(signal: AbortSignal): Promise<void> {
    await this.forgetLatecomers(signal);
    const before = nowSeconds() - this.settings.auditRetentionDays * DAY_SECONDS;
    const due = { where: { createdAt: LessThan(before) }, order: { createdAt: 'ASC', id: 'ASC' } } as const;
    await this.purge.where(AuditEvent, due, signal);
  }

  private matching({ equal, since, until }: AuditFilter): SelectQueryBuilder<AuditEvent> {
    const query = this.dataSource.manager.createQueryBuilder(AuditEvent, 'event');
    for (const [column, value] of Object.entries(equal))
      if (value !== undefined) query.andWhere(`event.${column} = :${column}`, { [column]: value });
    if (since !== undefined) query.andWhere('event.createdAt >= :since', { since });
    if (until !== undefined) query.andWhere('event.createdAt < :until', { until });
    return query;
  }

  /** Erases what an account's deletion left: events beyond one batch, and events written concurrently. */
  private async forgetLatecomers(signal: AbortSignal): Promise<void> {
    const deletions = await this.dataSource.manager.find(AuditEvent, {
      select: { id: true, userId: true },
      where: { type: 'account.deleted', createdAt: MoreThanOrEqual(nowSeconds() - LATECOMER_SECONDS) },
    });
    const userIds = deletions.flatMap(({ userId }) => userId ?? []);
    for (let start = 0; start < userIds.length; start += FORGOTTEN_BATCH) {
      const batch = userIds.slice(start, start + FORGOTTEN_BATCH);
      let isAll = false;
      while (!isAll) {
        signal.throwIfAborted();
        isAll = await this.transactions.run((manager) => this.recorder.forget(manager, batch));
      }
    }
  }
}

/** The first condition uses the index; MySQL does not use an index range for row comparisons. */
function startAfter(query: SelectQueryBuilder<AuditEvent>, cursor: string): void {
  const place = decodeCursor(cursor);
  if (!place) throw badRequest(['cursor must be the next_cursor of the previous page']);
  query.andWhere('event.createdAt <= :at AND (event.createdAt < :at OR event.id < :id)', {
    at: place.createdAt,
    id: place.id,
  });
}
