import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { RequestContext } from '../common/request-context.js';
import { nowSeconds } from '../common/time.js';
import { PURGE_BATCH } from '../database/jobs/purge.js';
import { SecurityEvents, type SecurityEvent } from '../events/security-events.js';
import { actorOf, type ActorOutsideRequests } from './audit-actor.js';
import { AuditEvent } from './audit-event.entity.js';
import { impersonalTypes } from './event-traits.js';

export const ACTOR_OUTSIDE_REQUESTS = Symbol('who acts outside requests');

/** As it is, since every login adds one, and as an entity it takes several times as long. */
const ADD = `
  INSERT INTO audit_events (created_at, type, application_id, user_id, actor_kind, actor_id, actor_client, address,
    request_id, detail)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const IMPERSONAL = impersonalTypes.map((type) => `'${type}'`).join(', ');
/** The shape of the ids that Pluto makes; callers may have chosen others, with whatever in them. */
const OWN_ID = ['_'.repeat(8), '_'.repeat(4), '_'.repeat(4), '_'.repeat(4), '_'.repeat(12)].join('-');
const blank = {
  address: '',
  requestId: () => `CASE WHEN request_id LIKE '${OWN_ID}' THEN request_id ELSE '' END`,
  detail: () => `CASE WHEN type IN (${IMPERSONAL}) THEN detail ELSE '{}' END`,
};

/** Writes security events into the audit trail, each in the transaction of what happened. */
@Injectable()
export class AuditRecorder {
  constructor(
    events: SecurityEvents,
    @Inject(ACTOR_OUTSIDE_REQUESTS) private readonly actorOutsideRequests: ActorOutsideRequests,
  ) {
    // Here and not in a hook: the first start publishes before the hooks have run.
    events.subscribe((manager, event, context) => this.record(manager, event, context));
  }

  private async record(
    manager: EntityManager,
    event: SecurityEvent,
    context: RequestContext | null,
  ): Promise<void> {
    const { type, applicationId, userId, detail } = event;
    const { actorKind, actorId, actorClient } = actorOf(event, context, this.actorOutsideRequests);
    const parameters = [
      nowSeconds(),
      type,
      applicationId,
      userId,
      actorKind,
      actorId,
      actorClient,
      context?.address ?? '',
      context?.requestId ?? '',
      JSON.stringify(detail),
    ];
    await manager.query(ADD, parameters);
    if (type === 'account.deleted' && userId !== null) await this.forget(manager, [userId]);
  }

  /**
   * Blanks what the trail holds of persons: addresses, request ids that callers chose, and details unless they say nothing of anybody. That something
   * happened stays, with the account's id, which is not used again. No more than a batch, so that the transaction stays
   * short.
   * @returns whether that was all
   */
  async forget(manager: EntityManager, userIds: number[]): Promise<boolean> {
    // One by one: a database serves an OR of two columns by reading the whole table, and locks it.
    for (const column of ['userId', 'actorId'] as const) {
      const rows = await manager
        .createQueryBuilder(AuditEvent, 'event')
        .select('event.id')
        .where(`event.${column} IN (:...userIds)`, { userIds })
        .andWhere(
          `(event.address <> '' OR (event.requestId <> '' AND event.requestId NOT LIKE :ownId) OR (event.detail <> '{}' AND event.type NOT IN (:...impersonal)))`,
          {
            impersonal: impersonalTypes,
            ownId: OWN_ID,
          },
        )
        .orderBy('event.id')
        .limit(PURGE_BATCH)
        .getMany();
      for (const { id } of rows) await manager.update(AuditEvent, { id }, blank);
      if (rows.length === PURGE_BATCH) return false;
    }
    return true;
  }
}
