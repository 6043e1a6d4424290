import type { RequestContext } from '../common/request-context.js';
import type { SecurityEvent } from '../events/security-events.js';
import type { AuditEvent } from './audit-event.entity.js';
import { eventTraits } from './event-traits.js';

/** The actor outside requests: the operator at the command line, or the server. */
export type ActorOutsideRequests = 'cli' | 'system';

type AuditActor = Pick<AuditEvent, 'actorKind' | 'actorId' | 'actorClient'>;

/** The actor of an event: the bearer of the request's token, else according to the kind of event. */
export function actorOf(
  event: Pick<SecurityEvent, 'type' | 'userId'>,
  context: Pick<RequestContext, 'actor'> | null,
  outsideRequests: ActorOutsideRequests,
): AuditActor {
  if (!context) return { actorKind: outsideRequests, actorId: null, actorClient: null };
  if (context.actor) {
    const { userId, clientKey } = context.actor;
    // 0: a client with a token of the client credentials grant.
    const actorId = userId === 0 ? null : userId;
    return { actorKind: clientKey === null ? 'user' : 'client', actorId, actorClient: clientKey };
  }
  if (eventTraits[event.type].isByOwner && event.userId !== null)
    return { actorKind: 'user', actorId: event.userId, actorClient: null };
  return { actorKind: 'anonymous', actorId: null, actorClient: null };
}
