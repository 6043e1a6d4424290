import type { Change } from './statements.js';

/** What mysql2 makes of the answer: the rows of the block's SELECT, and what it says of the whole. */
export type BlockAnswer = [rows: [{ made: string }], header: unknown];

/**
 * One statement of MariaDB's that makes each of the lists of changes wholly or not at all, all in one transaction: a list is undone when
 * one of its changes does not find exactly one row, and everything when one fails otherwise. It answers with a
 * digit for each list, 1 for what is made.
 * @see https://mariadb.com/kb/en/using-compound-statements-outside-of-stored-programs/
 */
export function blockOf(all: readonly (readonly Change[])[]): { sql: string; parameters: unknown[] } {
  const sql = `BEGIN NOT ATOMIC
    DECLARE made_lists VARCHAR(255) DEFAULT '';
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
    START TRANSACTION;
    ${all.map(listOf).join('\n')}
    COMMIT;
    SELECT made_lists AS made;
  END`;
  return { sql, parameters: all.flatMap((changes) => changes.flatMap(({ parameters }) => parameters)) };
}

function listOf(changes: readonly Change[]): string {
  const undo = `ROLLBACK TO list; SET made_lists = CONCAT(made_lists, '0'); LEAVE one_list;`;
  const steps = changes.map(({ sql }) => `${sql}; IF ROW_COUNT() <> 1 THEN ${undo} END IF;`);
  return `one_list: BEGIN
    SAVEPOINT list;
    ${steps.join('\n')}
    SET made_lists = CONCAT(made_lists, '1');
  END;`;
}
