import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  belongsTo,
  createTables,
  dropTables,
  emptyByDefault,
  flag,
  id,
  index,
  integer,
  longText,
  nullable,
  primary,
  text,
  time,
  unique,
  zeroByDefault,
  type TableDescription,
} from './columns.js';

const tables: TableDescription[] = [
  {
    name: 'applications',
    columns: [
      id,
      text('name', 100),
      text('name_key', 300),
      integer('default_role_id', nullable),
      integer('revision', zeroByDefault),
      time('created_at'),
    ],
    indices: [unique('uq_applications_name', 'name_key')],
  },
  {
    name: 'roles',
    columns: [
      id,
      integer('application_id'),
      text('name', 60),
      text('name_key', 180),
      integer('default_scope_id', nullable),
      integer('revision', zeroByDefault),
      time('created_at'),
    ],
    indices: [unique('uq_roles_name', 'application_id', 'name_key')],
    foreignKeys: [belongsTo('applications', 'application_id', 'fk_roles_application')],
  },
  {
    name: 'scopes',
    columns: [id, integer('application_id'), text('name', 60), text('name_key', 180), time('created_at')],
    indices: [unique('uq_scopes_name', 'application_id', 'name_key')],
    foreignKeys: [belongsTo('applications', 'application_id', 'fk_scopes_application')],
  },
  {
    name: 'role_scopes',
    columns: [integer('role_id', primary), integer('scope_id', primary)],
    indices: [index('ix_role_scopes_scope', 'scope_id')],
    foreignKeys: [
      belongsTo('roles', 'role_id', 'fk_role_scopes_role'),
      belongsTo('scopes', 'scope_id', 'fk_role_scopes_scope'),
    ],
  },
  {
    name: 'application_names',
    columns: [integer('application_id', primary), text('tag', 64, primary), text('name', 100)],
    foreignKeys: [belongsTo('applications', 'application_id', 'fk_application_names_application')],
  },
  {
    name: 'application_settings',
    columns: [
      integer('application_id', primary),
      longText('redirect_urls'),
      longText('google_client_ids'),
      text('apple_team_id', 64, emptyByDefault),
      text('apple_key_id', 64, emptyByDefault),
      text('apple_client_id', 255, emptyByDefault),
      longText('sealed_apple_private_key'),
      text('wechat_app_id', 64, emptyByDefault),
      longText('sealed_wechat_app_secret'),
      text('wechat_web_app_id', 64, emptyByDefault),
      longText('sealed_wechat_web_app_secret'),
    ],
    foreignKeys: [belongsTo('applications', 'application_id', 'fk_application_settings_application')],
  },
  {
    name: 'users',
    columns: [
      id,
      integer('application_id'),
      text('handle', 100),
      text('handle_key', 100),
      flag('is_handle_updated'),
      text('name', 60),
      text('name_key', 180),
      text('avatar_url', 2048, emptyByDefault),
      text('avatar_file', 64, nullable),
      text('password_hash', 255, nullable),
      time('created_at'),
      time('updated_at'),
    ],
    indices: [
      unique('uq_users_handle', 'application_id', 'handle_key'),
      unique('uq_users_avatar_file', 'avatar_file'),
      index('ix_users_handle', 'handle_key', 'name_key'),
      index('ix_users_name', 'name_key'),
      index('ix_users_created', 'created_at'),
    ],
    foreignKeys: [belongsTo('applications', 'application_id', 'fk_users_application')],
  },
  {
    name: 'user_roles',
    columns: [integer('user_id', primary), integer('application_id', primary), integer('role_id')],
    indices: [index('ix_user_roles_application', 'application_id'), index('ix_user_roles_role', 'role_id')],
    foreignKeys: [
      belongsTo('users', 'user_id', 'fk_user_roles_user'),
      belongsTo('applications', 'application_id', 'fk_user_roles_application'),
      belongsTo('roles', 'role_id', 'fk_user_roles_role'),
    ],
  },
  {
    name: 'identities',
    columns: [
      id,
      integer('user_id'),
      integer('application_id'),
      text('login_type', 16),
      text('subject_key', 255),
      text('mail', 254, emptyByDefault),
      text('mail_key', 254, emptyByDefault),
      flag('is_verified'),
      time('created_at'),
    ],
    indices: [
      unique('uq_identities_subject', 'application_id', 'login_type', 'subject_key'),
      unique('uq_identities_user', 'user_id', 'login_type'),
      index('ix_identities_mail', 'mail_key', 'user_id'),
      index('ix_identities_verified', 'is_verified', 'user_id'),
    ],
    foreignKeys: [
      belongsTo('users', 'user_id', 'fk_identities_user'),
      belongsTo('applications', 'application_id', 'fk_identities_application'),
    ],
  },
  {
    name: 'one_time_tokens',
    columns: [
      id,
      text('kind', 32),
      text('token_hash', 64),
      integer('identity_id'),
      time('created_at'),
      time('expires_at'),
      time('used_at', nullable),
    ],
    indices: [
      unique('uq_one_time_tokens_hash', 'kind', 'token_hash'),
      index('ix_one_time_tokens_identity', 'identity_id'),
      index('ix_one_time_tokens_expires', 'expires_at'),
    ],
    foreignKeys: [belongsTo('identities', 'identity_id', 'fk_one_time_tokens_identity')],
  },
  {
    name: 'sessions',
    columns: [
      text('id', 22, primary),
      integer('user_id'),
      integer('application_id'),
      text('client_key', 255, nullable),
      text('device_id', 255, emptyByDefault),
      longText('scopes'),
      text('address', 64, emptyByDefault),
      text('user_agent', 255, emptyByDefault),
      time('created_at'),
      time('last_used_at'),
    ],
    indices: [index('ix_sessions_user', 'user_id'), index('ix_sessions_application', 'application_id')],
    foreignKeys: [
      belongsTo('users', 'user_id', 'fk_sessions_user'),
      belongsTo('applications', 'application_id', 'fk_sessions_application'),
    ],
  },
  {
    name: 'refresh_tokens',
    columns: [
      id,
      text('session_id', 22),
      integer('generation'),
      text('token_hash', 64),
      time('created_at'),
      time('expires_at'),
      time('used_at', nullable),
    ],
    indices: [
      unique('uq_refresh_tokens_hash', 'token_hash'),
      unique('uq_refresh_tokens_generation', 'session_id', 'generation'),
      index('ix_refresh_tokens_expires', 'expires_at'),
    ],
    foreignKeys: [belongsTo('sessions', 'session_id', 'fk_refresh_tokens_session')],
  },
  {
    name: 'signing_keys',
    columns: [
      id,
      integer('sequence'),
      text('kid', 64),
      longText('public_key'),
      longText('sealed_private_key'),
      time('created_at'),
      time('signs_from'),
      time('verifies_until', nullable),
    ],
    indices: [unique('uq_signing_keys_sequence', 'sequence'), unique('uq_signing_keys_kid', 'kid')],
  },
  {
    name: 'mails',
    columns: [
      id,
      integer('user_id'),
      text('template', 32),
      text('language', 8),
      text('recipient', 254),
      longText('sealed_context'),
      text('state', 16),
      integer('attempts', zeroByDefault),
      time('next_attempt_at'),
      text('claim', 43, nullable),
      time('claimed_until', nullable),
      time('expires_at'),
      text('last_error', 255, emptyByDefault),
      time('created_at'),
    ],
    indices: [index('ix_mails_due', 'state', 'next_attempt_at'), index('ix_mails_user', 'user_id')],
    foreignKeys: [belongsTo('users', 'user_id', 'fk_mails_user')],
  },
];

/** Applications with their roles and scopes, accounts, sessions, keys and the outbox. */
export class CreateAccounts1795305600000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await createTables(runner, tables);
  }

  async down(runner: QueryRunner): Promise<void> {
    await dropTables(runner, tables);
  }
}
