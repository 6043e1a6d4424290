import { AsyncLocalStorage } from 'node:async_hooks';
import { type DataSource } from 'typeorm';

interface RunningTransaction {
  dataSource: DataSource;
  isOver: boolean;
}

/** The transaction on whose behalf the present code runs. Code that outlives its transaction is outside again. */
let running: AsyncLocalStorage<RunningTransaction> | null = null;

/**
 * From now on `assertOutsideTransaction` finds what it looks for. For tests: on Node 20 an AsyncLocalStorage makes each promise
 * of the process dearer, and a small request by a third (67 to 86 µs).
 */
export function watchTransactions(): void {
  running ??= new AsyncLocalStorage();
}

/** Runs `work` as the inside of a transaction: there `assertOutsideTransaction` throws, while transactions are watched. */
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
 * Guards the way to another connection. A statement beside the transaction it belongs to would wait for ever for
 * SQLite's only connection, and would escape the rollback on MySQL.
 * @throws Error when called inside a transaction of this data source, while transactions are watched
 */
export function assertOutsideTransaction(dataSource: DataSource): void {
  const transaction = running?.getStore();
  if (transaction?.dataSource !== dataSource || transaction.isOver) return;
  throw new Error(
    'The database was used past the running transaction. Inside Transactions.run() use only the manager it hands ' +
      'to its callback (manager.getRepository(…), services that take a manager), never an injected repository.',
  );
}
