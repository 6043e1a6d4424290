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

/** How many rows one transaction deletes: few enough that whoever waits for their locks hardly notices. */
export const PURGE_BATCH = 500;
const LEAST_PAUSE_MS = 10;

interface Due<Row> {
  where: FindOptionsWhere<Row>;
  /** The columns of the index that finds them. */
  order: FindOptionsOrder<Row>;
}

/**
 * Deletes many rows without standing in anybody's way: they are looked for without locks, and deleted by their
 * primary keys in small transactions with pauses between, so that neither a table nor a gap of an index is locked.
 */
@Injectable()
export class Purge {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
  ) {}

  /**
   * Deletes the rows of one table that are due. What is due must stay so.
   * @param signal ends it between two batches, by a throw
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
   * @param find the keys of some that are due, each once: as many as the limit, unless there are fewer
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
        // Each alone: given a list, MariaDB may read the whole table, and waits for every row that others have locked.
        for (const row of rows) await manager.delete(entity, row);
      });
      if (keys.length < PURGE_BATCH) return;
      // As long as the batch took: half of the database's time is left to the requests.
      await sleep(Math.max(LEAST_PAUSE_MS, performance.now() - began));
    }
  }

  private keyOf<Row extends ObjectLiteral>(entity: EntityTarget<Row>): keyof Row & string {
    const [column, ...others] = this.dataSource.getMetadata(entity).primaryColumns;
    if (!column || others.length > 0)
      throw new Error('Only a table with a primary key of one column is purged');
    return column.propertyName;
  }
}

/** In the same order by every instance, so that two that delete the same rows cannot wait for each other. */
function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : 1;
}
