import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { addColumns, dropColumns } from './columns.js';

const columns = { replayed_at: 'bigint NULL' };

/** Notes when a used refresh token was exchanged again late. */
export class AddReplays1795910400000 implements MigrationInterface {
  name = 'AddReplays1795910400000';

  async up(runner: QueryRunner): Promise<void> {
    await addColumns(runner, 'refresh_tokens', columns);
  }

  async down(runner: QueryRunner): Promise<void> {
    await dropColumns(runner, 'refresh_tokens', columns);
  }
}
