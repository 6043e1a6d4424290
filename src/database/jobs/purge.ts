import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import {
  DataSource,
  type EntityTarget,
  type FindOptionsOrder,
  type FindOptionsSelect,
  type FindOptionsWhere,
  type ObjectLiteral,
} from 'typeorm';
import { Transactions } from '../transactions.js';

/** How many rows one transaction deletes: few enough that locks are held only briefly. */
export const PURGE_BATCH = 500;
const LEAST_PAUSE_MS = 10;

interface Due<Row> {
  where: FindOptionsWhere<Row>;
  /** The columns of the index to search by. */
  order: FindOptionsOrder<Row>;
}

/**
 * Deletes many rows without blocking requests: it finds them without locks and deletes them by primary key in
 * small transactions with pauses in between, so that neither a table nor an index gap is locked.
 */
@Injectable()
export class Purge {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
  ) {}

  /**
   * Deletes the due rows of one table. A due row must stay due.
   * @param signal stops the purge between two batches; it then throws
   */
  async where<Row extends ObjectLiteral>(
    entity: EntityTarget<Row>,
    { where, order }: Due<Row>,
    signal: AbortSignal,
  ): Promise<void> {
    const key = this.keyOf(entity);
    const select = { [key]: true } as FindOptionsSelect<Row>;
    await this.batches(
      entity,
      async (limit) => {
        const due = await this.dataSource.manager.find(entity, { select, where, order, take: limit });
        return due.map((row) => row[key] as string | number);
      },
      signal,
    );
  }

  /**
   * Deletes rows by their primary keys until no more are found.
   * @param find returns the distinct keys of due rows: as many as the limit, unless there are fewer
   */
  async batches<Row extends ObjectLiteral>(
    entity: EntityTarget<Row>,
    find: (limit: number) => Promise<(string | number)[]>,
    signal: AbortSignal,
  ): Promise<void> {
    const key = this.keyOf(entity);
    for (;;) {
      signal.throwIfAborted();
      const began = performance.now();
      const keys = (await find(PURGE_BATCH)).sort(compare);
      if (keys.length === 0) return;
      const rows = keys.map((value) => ({ [key]: value }) as FindOptionsWhere<Row>);
      await this.transactions.run(async (manager) => {
        // One by one: for a list, MariaDB may scan the whole table and wait for every row that others have
        // locked.
        for (const row of rows) await manager.delete(entity, row);
      });
      if (keys.length < PURGE_BATCH) return;
      // As long as the batch took, which leaves half of the database's time to requests.
      await sleep(Math.max(LEAST_PAUSE_MS, performance.now() - began));
    }
  }

  private keyOf<Row extends ObjectLiteral>(entity: EntityTarget<Row>): keyof Row & string {
    const [column, ...others] = this.dataSource.getMetadata(entity).primaryColumns;
    if (!column || others.length > 0)
      throw new Error('Only tables with a single-column primary key can be purged');
    return column.propertyName;
  }
}

/** The same order on every instance, so that two instances deleting the same rows cannot deadlock. */
function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : 1;
}
