import type { MigrationInterface, QueryRunner } from 'typeorm';

const columns = [
  ['page_sessions', 'signed_in_by', "varchar(16) NOT NULL DEFAULT ''"],
  ['authorization_codes', 'signed_in_by', "varchar(16) NOT NULL DEFAULT ''"],
  ['authorization_codes', 'authenticated_at', 'bigint NOT NULL DEFAULT 0'],
] as const;

/** How and when somebody signed in to the hosted pages, for the sessions of OAuth clients. */
export class RecordPageSignIn1796400000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // TypeORM would build the tables again on SQLite, which forgets the highest id: it could be used again.
    for (const [table, name, type] of columns)
      if (!(await runner.hasColumn(table, name)))
        await runner.query(`ALTER TABLE ${table} ADD COLUMN ${name} ${type}`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const [table, name] of columns)
      if (await runner.hasColumn(table, name)) await runner.query(`ALTER TABLE ${table} DROP COLUMN ${name}`);
  }
}
