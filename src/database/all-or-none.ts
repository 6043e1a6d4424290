import { Injectable } from '@nestjs/common';
import DataLoader from 'dataloader';
import PQueue from 'p-queue';
import type { EntityManager } from 'typeorm';
import { endOfTurn } from '../common/end-of-turn.js';
import { blockOf, type BlockAnswer } from './change-block.js';
import { isConnectionLost, isOutOfReach } from './database-error.js';
import type { GuardedPool } from './guarded-pool.js';
import { PlutoDataSource } from './pluto-data-source.js';
import { execute, type Change } from './statements.js';
import { CommitOutcomeUnknown, isRetryable, Transactions } from './transactions.js';

type Changes = readonly Change[];
/** Whether they were made, or what they failed with. */
type Outcome = boolean | Error;

/** More would keep the first of them waiting longer than the commit that they share. */
const TOGETHER_MAX = 32;
/** Transactions at once: of one that waits for a lock the others know nothing. SQLite has but one. */
const AT_ONCE = 4;

/** Thrown to have the changes undone. */
class RowMissing extends Error {
  override name = 'RowMissing';
}

/**
 * Makes changes that hold together, where nothing is to be decided between them. Those of many requests share a
 * transaction: what comes while others are being committed goes together into the next one. To wake the database, and to
 * be woken, takes longer than the changes themselves (SQLite: 680 to 500 µs of a refresh).
 */
@Injectable()
export class AllOrNone {
  private readonly queue: PQueue;
  private readonly loader: DataLoader<Changes, boolean>;
  private isMariaDb: Promise<boolean> | null = null;
  private sent: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly dataSource: PlutoDataSource,
    private readonly transactions: Transactions,
  ) {
    this.queue = new PQueue({ concurrency: dataSource.options.type === 'better-sqlite3' ? 1 : AT_ONCE });
    this.loader = new DataLoader((all) => this.send(all), {
      cache: false,
      maxBatchSize: TOGETHER_MAX,
      batchScheduleFn: (send) => void this.queue.add(() => this.inTurn(send)),
    });
  }

  /**
   * Makes the changes if each of them finds exactly one row, and else none of them; what others have made at the same time
   * has no part in that.
   * @returns whether they were made. False, too, when another transaction was in the way, and when the connection was
   *   lost at once: then they may have been made, so look before they are made again
   * @throws CommitOutcomeUnknown when it was lost later; whatever a change fails with
   */
  async change(changes: Changes): Promise<boolean> {
    this.dataSource.assertReady();
    return this.loader.load(changes);
  }

  private async inTurn(send: () => void): Promise<void> {
    await endOfTurn();
    send();
    await this.sent;
  }

  private send(all: readonly Changes[]): Promise<Outcome[]> {
    const outcomes = this.changeAll(all);
    this.sent = outcomes.catch(() => undefined);
    return outcomes;
  }

  private async changeAll(all: readonly Changes[]): Promise<Outcome[]> {
    const { pool } = this.dataSource;
    if (!pool || !(await this.takesBlocks(pool))) return this.changeEach(all);
    try {
      return await sendAsBlock(pool, all);
    } catch (error) {
      if (all.length === 1 || error instanceof CommitOutcomeUnknown || isOutOfReach(error)) throw error;
      // Nothing is made. Each by itself finds out whose fault it was.
      return Promise.all(all.map((changes) => sendAsBlock(pool, [changes]).then(([made]) => made!, asError)));
    }
  }

  private changeEach(all: readonly Changes[]): Promise<Outcome[]> {
    return this.transactions.run(async (manager) => {
      const outcomes: Outcome[] = [];
      for (const changes of all) outcomes.push(await changeOrUndo(manager, changes));
      return outcomes;
    });
  }

  /** MySQL has them in stored programs only. */
  private takesBlocks(pool: GuardedPool): Promise<boolean> {
    this.isMariaDb ??= pool
      .send<{ version: string }[]>('SELECT VERSION() AS version', [])
      .then(([row]) => /mariadb/i.test(row!.version));
    this.isMariaDb.catch(() => (this.isMariaDb = null));
    return this.isMariaDb;
  }
}

/** One statement for all of it, where each of its own would wake this process and the database's. */
async function sendAsBlock(pool: GuardedPool, all: readonly Changes[]): Promise<boolean[]> {
  const begun = performance.now();
  const { sql, parameters } = blockOf(all);
  try {
    const [[row]] = await pool.send<BlockAnswer>(sql, parameters);
    return all.map((_, index) => row.made[index] === '1');
  } catch (error) {
    if (isRetryable(error, performance.now() - begun)) return all.map(() => false);
    if (!isConnectionLost(error) || isOutOfReach(error)) throw error;
    throw new CommitOutcomeUnknown('The connection was lost before the changes were known to be made', {
      cause: error,
    });
  }
}

const SAVE = { sql: 'SAVEPOINT changes', parameters: [] };
const KEEP = { sql: 'RELEASE SAVEPOINT changes', parameters: [] };
const UNDO = { sql: 'ROLLBACK TO SAVEPOINT changes', parameters: [] };

async function changeOrUndo(manager: EntityManager, changes: Changes): Promise<Outcome> {
  await execute(manager, SAVE);
  try {
    for (const change of changes) if ((await execute(manager, change)) !== 1) throw new RowMissing();
    await execute(manager, KEEP);
    return true;
  } catch (error) {
    if (isRetryable(error, 0)) throw error;
    await undo(manager, error);
    return error instanceof RowMissing ? false : asError(error);
  }
}

async function undo(manager: EntityManager, why: unknown): Promise<void> {
  try {
    await execute(manager, UNDO);
    await execute(manager, KEEP);
  } catch {
    // The database has undone the whole transaction by itself, as when the disk is full: all fail by what caused it.
    throw why;
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error('something was thrown', { cause: thrown });
}
