import { Inject, Injectable } from '@nestjs/common';
import { In, type EntityManager, type FindOptionsWhere } from 'typeorm';
import { currentRequest } from '../common/http/request-context.js';
import { nowSeconds } from '../common/time.js';
import { SecurityEvents, type SecurityEvent } from '../database/security-events.js';
import { actorOf, type ActorOutsideRequests } from './audit-actor.js';
import { AuditEvent } from './audit-event.entity.js';
import { impersonalTypes } from './event-traits.js';

export const ACTOR_OUTSIDE_REQUESTS = Symbol('who acts outside requests');

const IMPERSONAL = impersonalTypes.map((type) => `'${type}'`).join(', ');

/** Writes security events into the audit trail, each in the transaction of what happened. */
@Injectable()
export class AuditRecorder {
  constructor(
    events: SecurityEvents,
    @Inject(ACTOR_OUTSIDE_REQUESTS) private readonly actorOutsideRequests: ActorOutsideRequests,
  ) {
    // Here and not in a hook: the first start publishes before the hooks have run.
    events.subscribe((event, manager) => this.record(event, manager));
  }

  private async record(event: SecurityEvent, manager: EntityManager): Promise<void> {
    const { type, applicationId, userId, detail } = event;
    const request = currentRequest();
    await manager.insert(AuditEvent, {
      createdAt: nowSeconds(),
      type,
      applicationId,
      userId,
      ...actorOf(event, request, this.actorOutsideRequests),
      address: request?.address ?? '',
      requestId: request?.requestId ?? '',
      detail,
    });
    if (type === 'account.deleted' && userId !== null) await this.forget(manager, [userId]);
  }

  /**
   * Blanks what the trail holds of persons: addresses, and details unless they say nothing of anybody. That something
   * happened stays, with the account's id, which is not used again.
   */
  async forget(manager: EntityManager, userIds: number[]): Promise<void> {
    const blank = {
      address: '',
      detail: () => `CASE WHEN type IN (${IMPERSONAL}) THEN detail ELSE '{}' END`,
    };
    // One by one: a database serves an OR of two columns by reading the whole table, and locks it.
    const places: FindOptionsWhere<AuditEvent>[] = [{ userId: In(userIds) }, { actorId: In(userIds) }];
    for (const place of places) await manager.update(AuditEvent, place, blank);
  }
}
