import { TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { index } from './columns.js';

/** By table, for the queries of housekeeping. */
const indices = {
  identities: index('ix_identities_pending', 'is_verified', 'created_at'),
  mails: index('ix_mails_given_up', 'state', 'expires_at'),
  refresh_tokens: index('ix_refresh_tokens_newest', 'used_at', 'generation'),
};

/** Lets housekeeping find due rows without scanning whole tables. */
export class CreateUpkeepIndexes1795737600000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const [table, description] of Object.entries(indices)) {
      const present = (await runner.getTable(table))?.indices.some(({ name }) => name === description.name);
      if (!present) await runner.createIndex(table, new TableIndex(description));
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const [table, { name }] of Object.entries(indices)) {
      const present = (await runner.getTable(table))?.indices.some((one) => one.name === name);
      if (present) await runner.dropIndex(table, name!);
    }
  }
}
