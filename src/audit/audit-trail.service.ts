import { Injectable } from '@nestjs/common';
import {
  Between,
  DataSource,
  LessThan,
  MoreThanOrEqual,
  type FindOperator,
  type SelectQueryBuilder,
} from 'typeorm';
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
  private hasForgottenAddresses = false;

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
    await this.forgetAddresses(signal);
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
    const userIds = await this.findDeleted(MoreThanOrEqual(nowSeconds() - LATECOMER_SECONDS));
    await this.forgetAll(userIds, 'details', signal);
  }

  /** Erases the addresses that accounts left, AUDIT_ADDRESS_RETENTION after their deletion. */
  private async forgetAddresses(signal: AbortSignal): Promise<void> {
    const until = nowSeconds() - this.settings.auditAddressRetentionSeconds;
    // The first time all of them, in case that the retention is shorter than before.
    const since = this.hasForgottenAddresses ? until - LATECOMER_SECONDS : 0;
    await this.forgetAll(await this.findDeleted(Between(since, until)), 'addresses', signal);
    this.hasForgottenAddresses = true;
  }

  private async findDeleted(createdAt: FindOperator<number>): Promise<number[]> {
    const deletions = await this.dataSource.manager.find(AuditEvent, {
      select: { id: true, userId: true },
      where: { type: 'account.deleted', createdAt },
    });
    return deletions.flatMap(({ userId }) => userId ?? []);
  }

  private async forgetAll(
    userIds: number[],
    what: 'details' | 'addresses',
    signal: AbortSignal,
  ): Promise<void> {
    for (let start = 0; start < userIds.length; start += FORGOTTEN_BATCH) {
      const batch = userIds.slice(start, start + FORGOTTEN_BATCH);
      let isAll = false;
      while (!isAll) {
        signal.throwIfAborted();
        isAll = await this.transactions.run((manager) => this.recorder.forget(manager, batch, what));
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
