import type { MigrationInterface, QueryRunner } from 'typeorm';
import { addColumns, dropColumns } from './columns.js';

const columns = {
  address: "varchar(64) NOT NULL DEFAULT ''",
  user_agent: "varchar(255) NOT NULL DEFAULT ''",
};

/** Where a browser has signed in to the hosted pages, so that people recognise it among their sessions. */
export class DescribePageSessions1796500000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await addColumns(runner, 'page_sessions', columns);
  }

  async down(runner: QueryRunner): Promise<void> {
    await dropColumns(runner, 'page_sessions', columns);
  }
}
