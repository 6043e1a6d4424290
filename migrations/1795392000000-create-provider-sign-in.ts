import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  belongsTo,
  createTables,
  dropTables,
  emptyByDefault,
  id,
  index,
  integer,
  longText,
  nullable,
  outlives,
  primary,
  text,
  time,
  unique,
  zeroByDefault,
  type TableDescription,
} from './columns.js';

const tables: TableDescription[] = [
  {
    name: 'provider_subjects',
    columns: [
      id,
      integer('identity_id'),
      integer('application_id'),
      text('login_type', 16),
      text('subject', 255),
      time('created_at'),
    ],
    indices: [
      unique('uq_provider_subjects_subject', 'application_id', 'login_type', 'subject'),
      index('ix_provider_subjects_identity', 'identity_id'),
    ],
    foreignKeys: [
      belongsTo('identities', 'identity_id', 'fk_provider_subjects_identity'),
      belongsTo('applications', 'application_id', 'fk_provider_subjects_application'),
    ],
  },
  {
    name: 'apple_grants',
    columns: [
      id,
      integer('application_id'),
      integer('identity_id', nullable),
      text('client_id', 255),
      text('subject_hash', 43),
      longText('sealed_refresh_token'),
      integer('attempts', zeroByDefault),
      time('next_attempt_at'),
      text('last_error', 255, emptyByDefault),
      time('created_at'),
    ],
    indices: [
      unique('uq_apple_grants_client', 'identity_id', 'client_id'),
      index('ix_apple_grants_due', 'identity_id', 'next_attempt_at'),
      index('ix_apple_grants_subject', 'client_id', 'subject_hash'),
      index('ix_apple_grants_application', 'application_id'),
    ],
    foreignKeys: [
      outlives('identities', 'identity_id', 'fk_apple_grants_identity'),
      belongsTo('applications', 'application_id', 'fk_apple_grants_application'),
    ],
  },
  {
    name: 'spent_states',
    columns: [text('nonce', 32, primary), time('expires_at')],
    indices: [index('ix_spent_states_expires', 'expires_at')],
  },
];

/** Accounts at sign-in providers. */
export class CreateProviderSignIn1795392000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await createTables(runner, tables);
  }

  async down(runner: QueryRunner): Promise<void> {
    await dropTables(runner, tables);
  }
}
