import { Injectable } from '@nestjs/common';
import { isConnectionLost, isOutOfReach, mysqlErrorNumber } from './database-error.js';
import type { GuardedPool } from './guarded-pool.js';
import { PlutoDataSource } from './pluto-data-source.js';
import { execute, type Change } from './statements.js';
import { CommitOutcomeUnknown, isRetryable, Transactions } from './transactions.js';

const ER_SIGNAL_EXCEPTION = 1644;

/** Thrown to have the changes undone. */
class RowMissing extends Error {
  override name = 'RowMissing';
}

/** Makes changes that hold together, where nothing is to be decided between them. */
@Injectable()
export class AllOrNone {
  private isMariaDb: Promise<boolean> | null = null;

  constructor(
    private readonly dataSource: PlutoDataSource,
    private readonly transactions: Transactions,
  ) {}

  /**
   * Makes the changes in one transaction if each of them finds exactly one row, and else none of them. MariaDB is sent all of it as
   * one statement, where every statement of its own would wake this process and the database's (five of them take 650 µs
   * of both together, and the one 370).
   * @returns whether they were made. False, too, when another transaction was in the way, and when the connection was
   *   lost at once: then they may have been made, so look before they are made again
   * @throws CommitOutcomeUnknown when it was lost later; whatever a change fails with
   */
  async change(changes: readonly Change[]): Promise<boolean> {
    const { pool } = this.dataSource;
    return pool && (await this.takesBlocks(pool)) ? sendAsBlock(pool, changes) : this.changeEach(changes);
  }

  private async changeEach(changes: readonly Change[]): Promise<boolean> {
    try {
      await this.transactions.run(async (manager) => {
        for (const change of changes) if ((await execute(manager, change)) !== 1) throw new RowMissing();
      });
      return true;
    } catch (error) {
      if (error instanceof RowMissing) return false;
      throw error;
    }
  }

  /** MySQL has them in stored programs only. */
  private takesBlocks(pool: GuardedPool): Promise<boolean> {
    this.dataSource.assertReady();
    this.isMariaDb ??= pool
      .send<{ version: string }[]>('SELECT VERSION() AS version', [])
      .then(([row]) => /mariadb/i.test(row!.version));
    this.isMariaDb.catch(() => (this.isMariaDb = null));
    return this.isMariaDb;
  }
}

async function sendAsBlock(pool: GuardedPool, changes: readonly Change[]): Promise<boolean> {
  const begun = performance.now();
  try {
    await pool.send(
      blockOf(changes),
      changes.flatMap(({ parameters }) => parameters),
    );
    return true;
  } catch (error) {
    if (mysqlErrorNumber(error) === ER_SIGNAL_EXCEPTION || isRetryable(error, performance.now() - begun))
      return false;
    if (!isConnectionLost(error) || isOutOfReach(error)) throw error;
    throw new CommitOutcomeUnknown('The connection was lost before the changes were known to be made', {
      cause: error,
    });
  }
}

/** @see https://mariadb.com/kb/en/using-compound-statements-outside-of-stored-programs/ */
function blockOf(changes: readonly Change[]): string {
  const steps = changes.map(({ sql }) => `${sql}; IF ROW_COUNT() <> 1 THEN SIGNAL SQLSTATE '45000'; END IF;`);
  return `BEGIN NOT ATOMIC
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
    START TRANSACTION;
    ${steps.join('\n')}
    COMMIT;
  END`;
}
