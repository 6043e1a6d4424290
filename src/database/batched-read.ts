import DataLoader from 'dataloader';
import type { PlutoDataSource } from './pluto-data-source.js';

/** A larger batch would not make a row any cheaper. */
const KEYS_MAX = 64;

interface BatchedStatement<Key, Row> {
  /** The statement, with `places` for the keys: `WHERE id IN (${places})`. */
  sql: (places: string) => string;
  keyOf: (row: Row) => Key;
}

/**
 * Finds rows by key for queries of every request: the keys requested in one turn of the event loop share one
 * statement, so concurrent requests save round trips and a single request does not wait. Nothing is cached: a
 * statement is sent only after all of its keys were requested.
 */
export class BatchedRead<Key extends string | number, Row> {
  private readonly loader: DataLoader<Key, Row[]>;
  private readonly statements = new Map<number, string>();

  constructor(
    private readonly dataSource: PlutoDataSource,
    private readonly statement: BatchedStatement<Key, Row>,
  ) {
    this.loader = new DataLoader((keys) => this.read(keys), {
      cache: false,
      maxBatchSize: KEYS_MAX,
      batchScheduleFn: (run) => setImmediate(run),
    });
  }

  /** The rows of a key, in the statement's order. @throws as `PlutoDataSource.read` */
  find(key: Key): Promise<Row[]> {
    this.dataSource.assertReady();
    return this.loader.load(key);
  }

  private async read(keys: readonly Key[]): Promise<Row[][]> {
    const places = 2 ** Math.ceil(Math.log2(keys.length));
    const padding = Array.from({ length: places - keys.length }, () => keys[0]);
    const rows = await this.dataSource.read<Row>(this.sqlFor(places), [...keys, ...padding]);
    const found = new Map<Key, Row[]>();
    for (const row of rows) {
      const key = this.statement.keyOf(row);
      const others = found.get(key);
      if (others) others.push(row);
      else found.set(key, [row]);
    }
    return keys.map((key) => found.get(key) ?? []);
  }

  /** One SQL text per power of two, so that few statements are prepared. */
  private sqlFor(places: number): string {
    const known = this.statements.get(places);
    if (known !== undefined) return known;
    const sql = this.statement.sql(Array.from({ length: places }, () => '?').join());
    this.statements.set(places, sql);
    return sql;
  }
}
