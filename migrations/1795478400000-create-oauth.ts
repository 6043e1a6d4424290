import { TableColumn, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
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
  text,
  time,
  unique,
  zeroByDefault,
  type TableDescription,
} from './columns.js';

const tables: TableDescription[] = [
  {
    name: 'oauth_clients',
    columns: [
      id,
      text('client_key', 255),
      text('secret_hash', 43),
      text('redirect_uri', 2048),
      text('status', 16),
      time('denied_at', zeroByDefault),
      integer('user_id', nullable),
      time('created_at'),
    ],
    indices: [unique('uq_oauth_clients_key', 'client_key'), index('ix_oauth_clients_user', 'user_id')],
    foreignKeys: [outlives('users', 'user_id', 'fk_oauth_clients_user')],
  },
  {
    name: 'page_sessions',
    columns: [
      id,
      text('token_hash', 64),
      integer('user_id'),
      integer('application_id'),
      time('created_at'),
      time('expires_at'),
    ],
    indices: [
      unique('uq_page_sessions_hash', 'token_hash'),
      index('ix_page_sessions_user', 'user_id'),
      index('ix_page_sessions_application', 'application_id'),
      index('ix_page_sessions_expires', 'expires_at'),
    ],
    foreignKeys: [
      belongsTo('users', 'user_id', 'fk_page_sessions_user'),
      belongsTo('applications', 'application_id', 'fk_page_sessions_application'),
    ],
  },
  {
    name: 'authorization_codes',
    columns: [
      id,
      text('code_hash', 64),
      integer('client_id'),
      integer('user_id'),
      integer('page_session_id', nullable),
      integer('application_id'),
      text('redirect_uri', 2048),
      longText('scopes'),
      text('code_challenge', 43, emptyByDefault),
      integer('access_token_ttl_seconds'),
      text('session_id', 22, nullable),
      time('created_at'),
      time('expires_at'),
      time('used_at', nullable),
    ],
    indices: [
      unique('uq_authorization_codes_hash', 'code_hash'),
      index('ix_authorization_codes_client', 'client_id'),
      index('ix_authorization_codes_user', 'user_id'),
      index('ix_authorization_codes_page_session', 'page_session_id'),
      index('ix_authorization_codes_application', 'application_id'),
      index('ix_authorization_codes_expires', 'expires_at'),
    ],
    foreignKeys: [
      belongsTo('oauth_clients', 'client_id', 'fk_authorization_codes_client'),
      belongsTo('users', 'user_id', 'fk_authorization_codes_user'),
      outlives('page_sessions', 'page_session_id', 'fk_authorization_codes_page_session'),
      belongsTo('applications', 'application_id', 'fk_authorization_codes_application'),
    ],
  },
];

/** By table. */
const addedColumns = {
  sessions: { ...longText('granted_scopes'), ...nullable },
  signing_keys: time('long_tokens_until', zeroByDefault),
};
const sessionsOfClient = index('ix_sessions_client', 'client_key');

/** OAuth clients, their codes, and the sessions of the hosted pages. */
export class CreateOAuth1795478400000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await createTables(runner, tables);
    for (const [table, column] of Object.entries(addedColumns))
      if (!(await runner.hasColumn(table, column.name)))
        await runner.addColumn(table, new TableColumn(column));
    const sessions = await runner.getTable('sessions');
    if (!sessions?.indices.some(({ name }) => name === sessionsOfClient.name))
      await runner.createIndex('sessions', new TableIndex(sessionsOfClient));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropIndex('sessions', 'ix_sessions_client');
    for (const [table, { name }] of Object.entries(addedColumns)) await runner.dropColumn(table, name);
    await dropTables(runner, tables);
  }
}
