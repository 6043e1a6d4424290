import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  createTables,
  dropTables,
  emptyByDefault,
  id,
  index,
  integer,
  nullable,
  text,
  time,
  type TableDescription,
} from './columns.js';

/** No foreign keys: the rows outlive the rows they refer to. */
const tables: TableDescription[] = [
  {
    name: 'audit_events',
    columns: [
      id,
      time('created_at'),
      text('type', 32),
      integer('application_id', nullable),
      integer('user_id', nullable),
      text('actor_kind', 16),
      integer('actor_id', nullable),
      text('actor_client', 255, nullable),
      text('address', 64, emptyByDefault),
      text('request_id', 64, emptyByDefault),
      text('detail', 1024),
    ],
    indices: [
      index('ix_audit_events_created', 'created_at', 'id'),
      index('ix_audit_events_type', 'type', 'created_at', 'id'),
      index('ix_audit_events_application', 'application_id', 'created_at', 'id'),
      index('ix_audit_events_user', 'user_id', 'created_at', 'id'),
      index('ix_audit_events_actor', 'actor_id', 'created_at', 'id'),
      index('ix_audit_events_address', 'address', 'created_at', 'id'),
      index('ix_audit_events_request', 'request_id', 'created_at', 'id'),
    ],
  },
];

/** The audit trail. */
export class CreateAudit1795651200000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await createTables(runner, tables);
  }

  async down(runner: QueryRunner): Promise<void> {
    await dropTables(runner, tables);
  }
}
