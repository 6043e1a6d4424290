import type { AuditEvent } from './audit-event.entity.js';
import type { AuditEventsDto } from './audit.dto.js';

/** @param nameOf names applications; `''` for a deleted one */
export function presentEvent(
  event: AuditEvent,
  nameOf: (applicationId: number | null) => string,
): AuditEventsDto['events'][number] {
  return {
    id: event.id,
    at: event.createdAt,
    type: event.type,
    app_id: nameOf(event.applicationId),
    user_id: event.userId ?? 0,
    actor: { kind: event.actorKind, user_id: event.actorId ?? 0, client: event.actorClient ?? '' },
    address: event.address,
    request_id: event.requestId,
    detail: event.detail,
  };
}
