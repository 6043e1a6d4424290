import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  belongsTo,
  createTables,
  dropTables,
  index,
  integer,
  primary,
  text,
  type TableDescription,
} from './columns.js';

const tables: TableDescription[] = [
  {
    name: 'search_parts',
    columns: [text('part', 254, primary), integer('user_id', primary)],
    indices: [index('ix_search_parts_user', 'user_id', 'part')],
    foreignKeys: [belongsTo('users', 'user_id', 'fk_search_parts_user')],
    withoutRowid: true,
  },
];

/** Accounts per statement. */
const BATCH = 500;

const ADD_PARTS = `
  INSERT INTO search_parts (part, user_id)
  WITH RECURSIVE places (place) AS (SELECT 1 UNION ALL SELECT place + 1 FROM places WHERE place < 254)
  SELECT DISTINCT SUBSTR(texts.whole, places.place), texts.user_id
  FROM (SELECT id AS user_id, name_key AS whole FROM users WHERE id BETWEEN ? AND ?
    UNION SELECT id, handle_key FROM users WHERE id BETWEEN ? AND ?
    UNION SELECT user_id, mail_key FROM identities WHERE user_id BETWEEN ? AND ?) texts
  JOIN places ON LENGTH(SUBSTR(texts.whole, places.place, 1)) > 0
  WHERE NOT EXISTS (SELECT 1 FROM search_parts known WHERE known.user_id = texts.user_id)`;

/**
 * Indexes every part of names, handles and mails, for the search of administrators. Not one transaction, which
 * would become as large as the table: an interrupted run begins again and skips what is there.
 */
export class IndexSearch1796300000000 implements MigrationInterface {
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await createTables(runner, tables);
    const [{ highest }] = (await runner.query('SELECT COALESCE(MAX(id), 0) AS highest FROM users')) as [
      { highest: number | string },
    ];
    for (let from = 1; from <= Number(highest); from += BATCH) {
      const range = [from, from + BATCH - 1];
      await runner.query(ADD_PARTS, [...range, ...range, ...range]);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    await dropTables(runner, tables);
  }
}
