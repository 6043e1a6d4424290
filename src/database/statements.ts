import type { EntityManager } from 'typeorm';
import { SerializedQueryRunner } from './serialized-sqlite.js';

/** A statement that changes rows, where TypeORM's builders take longer than the database does. */
export interface Change {
  sql: string;
  parameters: unknown[];
}

/**
 * @param manager of a running transaction
 * @returns how many rows it has found to change, changed or not
 */
export async function execute(manager: EntityManager, { sql, parameters }: Change): Promise<number> {
  const runner = manager.queryRunner;
  if (!runner) throw new Error('execute needs the manager of a running transaction');
  if (runner instanceof SerializedQueryRunner) return runner.changeNow(sql, parameters);
  const { affected = 0 } = await runner.query(sql, parameters, true);
  return affected;
}
