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
/** After it, another attempt on a database that is away could not be refused within three seconds. */
const maxLostTimeMs = 1000;

/** Thrown by the work of a transaction to have it rolled back and run again from its start. */
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
  /** Null outside requests; undefined where nobody has said. */
  context: RequestContext | null | undefined;
  afterCommit: AfterCommit[];
}

const running = new WeakMap<QueryRunner, RunningTransaction>();

/**
 * Has something done once the transaction of `manager` is committed, and never if it is rolled back. It runs outside
 * the transaction and before `Transactions.run` returns; its errors are logged, since the commit stands.
 * @throws Error if the manager is not one handed out by `Transactions.run`
 */
export function afterCommit(manager: EntityManager, callback: AfterCommit): void {
  const transaction = manager.queryRunner && running.get(manager.queryRunner);
  if (!transaction) throw new Error('afterCommit needs the manager of a running transaction');
  transaction.afterCommit.push(callback);
}

/**
 * The request on whose behalf the transaction of `manager` runs; null outside requests.
 * @throws Error if the manager is not one handed out by `Transactions.runFor`: what nobody has said is not to be guessed
 */
export function requestContextOf(manager: EntityManager): RequestContext | null {
  const context = manager.queryRunner && running.get(manager.queryRunner)?.context;
  if (context === undefined)
    throw new Error(
      'Nobody has said on whose behalf this runs: begin the transaction with Transactions.runFor()',
    );
  return context;
}

/** Transactions: one around one use case. */
@Injectable()
export class Transactions {
  private readonly logger = new Logger(Transactions.name);

  constructor(private readonly dataSource: DataSource) {}

  /**
   * Runs `work` in one transaction: committed when it returns, rolled back when it throws. Deadlocks, lock timeouts,
   * conflicts and RetryTransaction make it run again, up to twenty times, and so does a connection lost within the first
   * second, so apart from what it does through `manager` it must have no effect (see `afterCommit`) and must not wait
   * for hashes or other servers. A commit whose outcome is unknown is never repeated.
   * @param work uses the database through its `manager` only; transactions do not nest, hand the manager down
   * @returns what `work` returned, after the commit has succeeded
   * @throws whatever `work` threw; PlutoError serviceUnavailable when the attempts are used up; CommitOutcomeUnknown
   */
  run<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.runUntilDone(undefined, work);
  }

  /**
   * As `run`, for what publishes security events or logs.
   * @param context the request on whose behalf it is done; null for a command and for what the server does by itself
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
      this.logger.error({ msg: 'what was to follow a commit failed', requestId, err: error });
    }
  }
}

/** May what has failed after `elapsedMs` be tried again from its start? */
export function isRetryable(error: unknown, elapsedMs: number): boolean {
  if (error instanceof CommitOutcomeUnknown || isOutOfReach(error)) return false;
  if (error instanceof RetryTransaction || isTransactionConflict(error)) return true;
  return isConnectionLost(error) && elapsedMs < maxLostTimeMs;
}

/**
 * Lets only the end of the transaction pass. A branch of a failed Promise.all goes on after the work has thrown: its
 * next statement would follow the ROLLBACK on the same connection, and stay.
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
    // The first error is the one that matters. But a connection must not go back to the pool in a transaction.
    const connection = (await runner.connect().catch(() => undefined)) as
      { destroy?: () => void } | undefined;
    connection?.destroy?.();
  }
}
