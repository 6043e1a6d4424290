import { ApiProperty } from '@nestjs/swagger';
import { ChoiceField, Field, QueryInteger } from '../common/fields.js';
import { INT32_MAX } from '../common/text-checks.js';
import type { SecurityEventType } from '../events/security-events.js';
import { actorKinds, type ActorKind, type AuditDetail } from './audit-event.entity.js';
import { eventTypes } from './event-traits.js';

/** The largest number of ten digits, in the year 2286. */
const LATEST_TIME = 9_999_999_999;

const QueryTime = (description: string) =>
  QueryInteger({ description, minimum: 0, maximum: LATEST_TIME, optional: true });
const QueryAccount = (description: string) =>
  QueryInteger({ description, minimum: 1, maximum: INT32_MAX, optional: true });

export class AuditQuery {
  @ChoiceField({ description: 'Kind of event', values: eventTypes, example: 'login.failed', optional: true })
  type?: SecurityEventType;

  @Field('appName', { description: 'Name of the application', optional: true })
  app_id?: string;

  @QueryAccount('Affected account')
  user_id?: number;

  @QueryAccount('Account that acted')
  actor_id?: number;

  @Field('address', { description: 'IP address of the request', optional: true })
  address?: string;

  @Field('requestId', { description: 'X-Request-Id of the response', optional: true })
  request_id?: string;

  @QueryTime('Unix seconds: only events at or after this time')
  since?: number;

  @QueryTime('Unix seconds: only events before this time')
  until?: number;

  @QueryInteger({ description: 'How many events to return', minimum: 1, maximum: 200, fallback: 50 })
  limit: number = 50;

  @Field('cursor', {
    description: 'next_cursor of the previous page; empty for the first page',
    optional: true,
  })
  cursor?: string;
}

class AuditActorDto {
  @ApiProperty({
    enum: actorKinds,
    // Constants of generated clients; some languages share one namespace with types such as `Client`.
    'x-enumNames': actorKinds.map((kind) => `Actor${kind[0]!.toUpperCase()}${kind.slice(1)}`),
    description: 'A user, an OAuth client, an unauthenticated caller, the command line, or the server',
    example: 'user',
  })
  kind: ActorKind;

  @ApiProperty({
    type: 'integer',
    description: 'Account that acted, or that the client acted for; 0 for none',
    example: 1,
  })
  user_id: number;

  @ApiProperty({ type: String, description: 'Key of the OAuth client; empty for none', example: '' })
  client: string;
}

class AuditEventDto {
  @ApiProperty({ type: 'integer', description: 'Event ID', example: 42 })
  id: number;

  @ApiProperty({ type: 'integer', description: 'Unix seconds', example: 1795651200 })
  at: number;

  @ApiProperty({ type: String, enum: eventTypes, description: 'Kind of event', example: 'role.assigned' })
  type: SecurityEventType;

  @ApiProperty({
    type: String,
    description: 'Name of the application; empty for none',
    example: 'pluto',
  })
  app_id: string;

  @ApiProperty({ type: 'integer', description: 'Affected account; 0 for none', example: 7 })
  user_id: number;

  @ApiProperty({ type: AuditActorDto, description: 'Who acted' })
  actor: AuditActorDto;

  @ApiProperty({
    type: String,
    description: 'IP address of the request; empty without a request, and once the account is deleted',
    example: '192.0.2.7',
  })
  address: string;

  @ApiProperty({
    type: String,
    description: 'X-Request-Id of the response; empty without a request',
    example: '0b0f2c0e-6f6b-4d6e-9d58-0c5a6f1c3f11',
  })
  request_id: string;

  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'string' },
    description: 'Details, depending on the kind of event',
    example: { role: 'editor' },
  })
  detail: AuditDetail;
}

export class AuditEventsDto {
  @ApiProperty({ type: [AuditEventDto], description: 'Newest first' })
  events: AuditEventDto[];

  @ApiProperty({
    type: String,
    description: 'Cursor of the next page; empty on the last page',
    example: 'MTc5NTY1MTIwMC40Mg',
  })
  next_cursor: string;
}
