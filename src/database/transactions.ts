import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import { PlutoError } from '../common/errors.js';
import type { RequestContext } from '../common/request-context.js';
import {
  COMMIT_OUTCOME_UNKNOWN,
  isConnectionLost,
  isOutOfReach,
  isTransactionConflict,
} from './database-error.js';
import { insideTransaction } from './transaction-context.js';

const maxAttempts = 20;
const maxRetryTimeMs = 15_000;
/** After this time, another attempt on an unreachable database could not fail within three seconds. */
const maxLostTimeMs = 1000;

/** Thrown by the work of a transaction to roll it back and run it again from the start. */
export class RetryTransaction extends Error {
  override name = 'RetryTransaction';
}

/** The connection was lost while the transaction was being committed: it may or may not have happened. */
export class CommitOutcomeUnknown extends Error {
  override name = 'CommitOutcomeUnknown';
  readonly code = COMMIT_OUTCOME_UNKNOWN;
}

type AfterCommit = () => void | Promise<void>;

interface RunningTransaction {
  /** Null outside requests; undefined for `run`, which has no context. */
  context: RequestContext | null | undefined;
  afterCommit: AfterCommit[];
}

const running = new WeakMap<QueryRunner, RunningTransaction>();

/**
 * Registers a callback for after the commit of `manager`'s transaction; it is dropped on rollback. It runs
 * outside the transaction, before `Transactions.run` returns; its errors are only logged, since the commit
 * stands.
 * @throws Error if the manager is not from `Transactions.run`
 */
export function afterCommit(manager: EntityManager, callback: AfterCommit): void {
  const transaction = manager.queryRunner && running.get(manager.queryRunner);
  if (!transaction) throw new Error('afterCommit requires the manager of a running transaction');
  transaction.afterCommit.push(callback);
}

/**
 * The request that the transaction of `manager` runs for; null outside requests.
 * @throws Error if the manager is not from `Transactions.runFor`: a missing context is not guessed
 */
export function requestContextOf(manager: EntityManager): RequestContext | null {
  const context = manager.queryRunner && running.get(manager.queryRunner)?.context;
  if (context === undefined)
    throw new Error('No request context: start this transaction with Transactions.runFor()');
  return context;
}

/** Runs transactions, one per use case. */
@Injectable()
export class Transactions {
  private readonly logger = new Logger(Transactions.name);

  constructor(private readonly dataSource: DataSource) {}

  /**
   * Runs `work` in one transaction: committed when it returns, rolled back when it throws. After a deadlock,
   * lock timeout, conflict, RetryTransaction or a connection lost within the first second, it runs again, up
   * to twenty times. So `work` must have no effects except through `manager` (see `afterCommit`) and must not
   * wait for hashes or other servers. A commit with an unknown outcome is never repeated.
   * @param work uses the database only through its `manager`; transactions do not nest, pass the manager down
   * @returns what `work` returned, after the commit has succeeded
   * @throws whatever `work` threw; PlutoError serviceUnavailable after the last attempt; CommitOutcomeUnknown
   */
  run<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.runUntilDone(undefined, work);
  }

  /**
   * As `run`, for work that publishes security events or logs.
   * @param context the request that causes the work; null for commands and background jobs
   */
  runFor<T>(context: RequestContext | null, work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.runUntilDone(context, work);
  }

  private async runUntilDone<T>(
    context: RequestContext | null | undefined,
    work: (manager: EntityManager) => Promise<T>,
  ): Promise<T> {
    const begun = performance.now();
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt(context, work);
      } catch (error) {
        const elapsedMs = performance.now() - begun;
        if (!isRetryable(error, elapsedMs)) throw error;
        if (attempt === maxAttempts || elapsedMs > maxRetryTimeMs) {
          throw new PlutoError('serviceUnavailable', { retryAfterSeconds: 1, cause: error });
        }
        await sleep(Math.random() * Math.min(500, 10 * 2 ** attempt));
      }
    }
  }

  private async attempt<T>(
    context: RequestContext | null | undefined,
    work: (manager: EntityManager) => Promise<T>,
  ): Promise<T> {
    const runner = this.dataSource.createQueryRunner();
    const transaction: RunningTransaction = { context, afterCommit: [] };
    running.set(runner, transaction);
    let result: T;
    try {
      await runner.startTransaction();
      result = await insideTransaction(this.dataSource, () => work(runner.manager)).finally(() => {
        refuseStragglers(runner);
        running.delete(runner);
      });
      await commit(runner);
    } catch (error) {
      await rollBack(runner);
      throw error;
    } finally {
      await runner.release();
    }
    for (const callback of transaction.afterCommit) await this.runAfterCommit(callback, context?.requestId);
    return result;
  }

  private async runAfterCommit(callback: AfterCommit, requestId: string | undefined): Promise<void> {
    try {
      await callback();
    } catch (error) {
      this.logger.error({ msg: 'after-commit callback failed', requestId, err: error });
    }
  }
}

/** Whether a transaction that failed after `elapsedMs` may be run again from the start. */
export function isRetryable(error: unknown, elapsedMs: number): boolean {
  if (error instanceof CommitOutcomeUnknown || isOutOfReach(error)) return false;
  if (error instanceof RetryTransaction || isTransactionConflict(error)) return true;
  return isConnectionLost(error) && elapsedMs < maxLostTimeMs;
}

/**
 * Allows only COMMIT and ROLLBACK from now on. A branch of a failed Promise.all continues after the work has
 * thrown: its next statement would run after the ROLLBACK on the same connection, and be kept.
 */
function refuseStragglers(runner: QueryRunner): void {
  const query = runner.query.bind(runner) as (sql: string, ...rest: unknown[]) => Promise<unknown>;
  const endOnly = async (sql: string, ...rest: unknown[]): Promise<unknown> => {
    if (sql === 'COMMIT' || sql === 'ROLLBACK') return query(sql, ...rest);
    throw new Error('A statement was sent after the work of its transaction had ended');
  };
  Object.assign(runner, { query: endOnly });
}

async function commit(runner: QueryRunner): Promise<void> {
  try {
    await runner.commitTransaction();
  } catch (cause) {
    if (!isConnectionLost(cause)) throw cause;
    throw new CommitOutcomeUnknown('The connection was lost during the commit', { cause });
  }
}

async function rollBack(runner: QueryRunner): Promise<void> {
  if (!runner.isTransactionActive) return;
  try {
    await runner.query('ROLLBACK');
  } catch {
    // The original error is the one to report; but a connection inside a transaction must not return to the
    // pool.
    const connection = (await runner.connect().catch(() => undefined)) as
      { destroy?: () => void } | undefined;
    connection?.destroy?.();
  }
}
