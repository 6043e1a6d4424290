import { Injectable } from '@nestjs/common';
import { isConnectionLost, isOutOfReach, mysqlErrorNumber } from '../database-error.js';
import type { PoolWithTimeouts } from './pool-with-timeouts.js';
import { PlutoDataSource } from '../pluto-data-source.js';
import type { SqlStatement } from '../sql-statement.js';
import { CommitOutcomeUnknown, isRetryable } from '../transactions.js';

const ER_SIGNAL_EXCEPTION = 1644;

/**
 * Makes changes that belong together, without decisions in between, by one compound statement that MariaDB
 * runs as a transaction: one round trip instead of five. MySQL allows compound statements only in stored
 * programs, and SQLite has none.
 * @see https://mariadb.com/kb/en/using-compound-statements-outside-of-stored-programs/
 */
@Injectable()
export class CompoundStatement {
  private supported: Promise<boolean> | null = null;

  constructor(private readonly dataSource: PlutoDataSource) {}

  /**
   * Makes all changes if each matches exactly one row, otherwise none.
   * @returns whether they were made. Also false if the database has no compound statements, after a conflict
   *   with another transaction, and if the connection was lost early: then the outcome is unknown, so check
   *   before making them again
   * @throws CommitOutcomeUnknown if the connection was lost later; any error of a change
   */
  async apply(changes: readonly SqlStatement[]): Promise<boolean> {
    this.dataSource.assertReady();
    const { pool } = this.dataSource;
    if (!pool || !(await this.isSupported(pool))) return false;
    return send(pool, changes);
  }

  private isSupported(pool: PoolWithTimeouts): Promise<boolean> {
    this.supported ??= pool
      .send<{ version: string }[]>('SELECT VERSION() AS version', [])
      .then(([row]) => /mariadb/i.test(row!.version));
    this.supported.catch(() => (this.supported = null));
    return this.supported;
  }
}

async function send(pool: PoolWithTimeouts, changes: readonly SqlStatement[]): Promise<boolean> {
  const parameters = changes.flatMap((change) => change.parameters);
  const begun = performance.now();
  try {
    await pool.send(compoundOf(changes), parameters);
    return true;
  } catch (error) {
    const isUndone = mysqlErrorNumber(error) === ER_SIGNAL_EXCEPTION;
    if (isUndone || isRetryable(error, performance.now() - begun)) return false;
    if (!isConnectionLost(error) || isOutOfReach(error)) throw error;
    throw new CommitOutcomeUnknown('The connection was lost before the database confirmed the changes', {
      cause: error,
    });
  }
}

function compoundOf(changes: readonly SqlStatement[]): string {
  const steps = changes.map(({ sql }) => `${sql}; IF ROW_COUNT() <> 1 THEN SIGNAL SQLSTATE '45000'; END IF;`);
  return `BEGIN NOT ATOMIC
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
    START TRANSACTION;
    ${steps.join('\n')}
    COMMIT;
  END`;
}
