import { type MigrationInterface, type QueryRunner } from 'typeorm';
import {
  belongsTo,
  createTables,
  dropTables,
  id,
  index,
  integer,
  text,
  time,
  unique,
  type TableDescription,
} from './columns.js';

const tables: TableDescription[] = [
  {
    name: 'known_devices',
    columns: [id, integer('user_id'), text('device_hash', 43), time('last_used_at')],
    indices: [
      unique('uq_known_devices_hash', 'user_id', 'device_hash'),
      index('ix_known_devices_used', 'last_used_at'),
    ],
    foreignKeys: [belongsTo('users', 'user_id', 'fk_known_devices_user')],
  },
];

export class CreateKnownDevices1795564800000 implements MigrationInterface {
  name = 'CreateKnownDevices1795564800000';

  async up(runner: QueryRunner): Promise<void> {
    await createTables(runner, tables);
  }

  async down(runner: QueryRunner): Promise<void> {
    await dropTables(runner, tables);
  }
}
