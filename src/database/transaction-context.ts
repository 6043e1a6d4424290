import { AsyncLocalStorage } from 'node:async_hooks';
import { type DataSource } from 'typeorm';

interface RunningTransaction {
  dataSource: DataSource;
  isOver: boolean;
}

/** The transaction that the current code runs in. Code that outlives its transaction is outside again. */
let running: AsyncLocalStorage<RunningTransaction> | null = null;

/**
 * Enables `assertOutsideTransaction`. For tests only: on Node 20 an AsyncLocalStorage slows down every
 * promise of the process.
 */
export function watchTransactions(): void {
  running ??= new AsyncLocalStorage();
}

/**
 * Runs `work` inside a transaction, where `assertOutsideTransaction` throws while transactions are watched.
 */
export async function insideTransaction<T>(dataSource: DataSource, work: () => Promise<T>): Promise<T> {
  if (!running) return work();
  const context = { dataSource, isOver: false };
  try {
    return await running.run(context, work);
  } finally {
    context.isOver = true;
  }
}

/**
 * Prevents the use of a second connection. A statement outside the transaction it belongs to would wait
 * forever for SQLite's only connection, and would escape the rollback on MySQL.
 * @throws Error when called inside a transaction of this data source, while transactions are watched
 */
export function assertOutsideTransaction(dataSource: DataSource): void {
  const transaction = running?.getStore();
  if (transaction?.dataSource !== dataSource || transaction.isOver) return;
  throw new Error(
    'The database was used outside the running transaction. Inside Transactions.run() use only the manager passed ' +
      'to its callback (manager.getRepository(…), services with a manager parameter), never an injected repository.',
  );
}
