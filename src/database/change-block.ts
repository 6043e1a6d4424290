import { isConnectionLost, isOutOfReach, isTransactionConflict } from './database-error.js';
import type { GuardedPool } from './guarded-pool.js';
import type { Change } from './statements.js';
import { CommitOutcomeUnknown, isRetryable } from './transactions.js';

type ChangeLists = readonly (readonly Change[])[];

/** What mysql2 makes of the answer: the rows of the block's SELECT, and what it says of the whole. */
type BlockAnswer = [rows: [{ made: string }], header: unknown];

/**
 * Makes each of the lists of changes wholly or not at all, all in one transaction that is sent to MariaDB as one statement. It
 * waits for no lock: one that another transaction holds would keep them all.
 * @returns which of them were made; none where the connection was lost at once: then they may have been made
 * @throws CommitOutcomeUnknown when it was lost later; what a list fails with, other than by a row that is missing, and a
 *   conflict with another transaction: then none is made
 */
export async function sendAsBlock(pool: GuardedPool, lists: ChangeLists): Promise<boolean[]> {
  const begun = performance.now();
  try {
    const [[row]] = await pool.send<BlockAnswer>(
      blockOf(lists),
      lists.flatMap((changes) => changes.flatMap(({ parameters }) => parameters)),
    );
    return lists.map((_, index) => row.made[index] === '1');
  } catch (error) {
    if (isTransactionConflict(error)) throw error;
    if (isRetryable(error, performance.now() - begun)) return lists.map(() => false);
    if (!isConnectionLost(error) || isOutOfReach(error)) throw error;
    throw new CommitOutcomeUnknown('The connection was lost before the changes were known to be made', {
      cause: error,
    });
  }
}

/** @see https://mariadb.com/kb/en/using-compound-statements-outside-of-stored-programs/ */
function blockOf(lists: ChangeLists): string {
  return `SET STATEMENT innodb_lock_wait_timeout = 0 FOR BEGIN NOT ATOMIC
    DECLARE made_lists VARCHAR(255) DEFAULT '';
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
    START TRANSACTION;
    ${lists.map(listOf).join('\n')}
    COMMIT;
    SELECT made_lists AS made;
  END`;
}

/** Undone when one of its changes does not find exactly one row. */
function listOf(changes: readonly Change[]): string {
  const undo = `ROLLBACK TO list; SET made_lists = CONCAT(made_lists, '0'); LEAVE one_list;`;
  const steps = changes.map(({ sql }) => `${sql}; IF ROW_COUNT() <> 1 THEN ${undo} END IF;`);
  return `one_list: BEGIN
    SAVEPOINT list;
    ${steps.join('\n')}
    SET made_lists = CONCAT(made_lists, '1');
  END;`;
}
