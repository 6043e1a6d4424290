import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  belongsTo,
  createTables,
  dropTables,
  index,
  integer,
  primary,
  type TableDescription,
} from './columns.js';

const tables: TableDescription[] = [
  {
    name: 'oauth_client_applications',
    columns: [integer('client_id', primary), integer('application_id', primary)],
    indices: [index('ix_oauth_client_applications_application', 'application_id')],
    foreignKeys: [
      belongsTo('oauth_clients', 'client_id', 'fk_oauth_client_applications_client'),
      belongsTo('applications', 'application_id', 'fk_oauth_client_applications_application'),
    ],
  },
];

/** Where each client's users have signed in, next to `pluto`, which has the accounts that register clients. */
const USED = `
  SELECT c.id AS client_id, a.id AS application_id
  FROM oauth_clients c JOIN applications a ON a.name_key = 'pluto' OR a.id IN (
    SELECT s.application_id FROM sessions s WHERE s.client_key = c.client_key)`;

/** Gives each OAuth client the applications that it may get tokens of its own for. */
export class ClientApplications1796083200000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await createTables(runner, tables);
    await runner.query(
      `INSERT INTO oauth_client_applications (client_id, application_id)
       SELECT used.client_id, used.application_id FROM (${USED}) used
       WHERE NOT EXISTS (SELECT 1 FROM oauth_client_applications o
         WHERE o.client_id = used.client_id AND o.application_id = used.application_id)`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await dropTables(runner, tables);
  }
}
