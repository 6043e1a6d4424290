import { type MigrationInterface, type QueryRunner } from 'typeorm';
import {
  addColumns,
  belongsTo,
  createTables,
  dropColumns,
  dropTables,
  integer,
  time,
  type TableDescription,
} from './columns.js';

const tables: TableDescription[] = [
  {
    name: 'login_failures',
    columns: [integer('user_id', { isPrimary: true }), integer('failures'), time('last_failed_at')],
    indices: [],
    foreignKeys: [belongsTo('users', 'user_id', 'fk_login_failures_user')],
  },
];
const columns = { failures: 'integer NOT NULL DEFAULT 0' };

/** Counts wrong passwords in a row, by account and by known device. */
export class CreateLoginFailures1795996800000 implements MigrationInterface {
  name = 'CreateLoginFailures1795996800000';

  async up(runner: QueryRunner): Promise<void> {
    await createTables(runner, tables);
    await addColumns(runner, 'known_devices', columns);
  }

  async down(runner: QueryRunner): Promise<void> {
    await dropColumns(runner, 'known_devices', columns);
    await dropTables(runner, tables);
  }
}
