import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { unixTime } from '../database/columns.js';
import type { SecurityEventType } from '../events/security-events.js';

/** Who did it; `client` is an OAuth client, on behalf of an account or on its own. */
export const actorKinds = ['user', 'client', 'anonymous', 'cli', 'system'] as const;
export type ActorKind = (typeof actorKinds)[number];

export type AuditDetail = Record<string, string>;

const json = {
  to: (detail: AuditDetail) => JSON.stringify(detail),
  from: (text: string) => JSON.parse(text) as AuditDetail,
};

/** A security event in the audit trail; without foreign keys, since it outlives the rows it refers to. */
@Entity('audit_events')
@Index('ix_audit_events_created', ['createdAt', 'id'])
@Index('ix_audit_events_type', ['type', 'createdAt', 'id'])
@Index('ix_audit_events_application', ['applicationId', 'createdAt', 'id'])
@Index('ix_audit_events_user', ['userId', 'createdAt', 'id'])
@Index('ix_audit_events_actor', ['actorId', 'createdAt', 'id'])
@Index('ix_audit_events_address', ['address', 'createdAt', 'id'])
@Index('ix_audit_events_request', ['requestId', 'createdAt', 'id'])
export class AuditEvent {
  @PrimaryGeneratedColumn()
  id: number;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;

  @Column({ type: 'varchar', length: 32 })
  type: SecurityEventType;

  @Column({ name: 'application_id', type: 'integer', nullable: true })
  applicationId: number | null;

  /** The affected account. */
  @Column({ name: 'user_id', type: 'integer', nullable: true })
  userId: number | null;

  @Column({ name: 'actor_kind', type: 'varchar', length: 16 })
  actorKind: ActorKind;

  /** The account that acted, or that a client acted for. */
  @Column({ name: 'actor_id', type: 'integer', nullable: true })
  actorId: number | null;

  @Column({ name: 'actor_client', type: 'varchar', length: 255, nullable: true })
  actorClient: string | null;

  /** `''` outside requests, and AUDIT_ADDRESS_RETENTION after the account was deleted. */
  @Column({ type: 'varchar', length: 64, default: '' })
  address: string;

  /** `''` outside requests. */
  @Column({ name: 'request_id', type: 'varchar', length: 64, default: '' })
  requestId: string;

  @Column({ type: 'varchar', length: 1024, transformer: json })
  detail: AuditDetail;
}
