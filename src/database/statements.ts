import type { EntityManager } from 'typeorm';

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
  if (!manager.queryRunner) throw new Error('execute needs the manager of a running transaction');
  const { affected = 0 } = await manager.queryRunner.query(sql, parameters, true);
  return affected;
}
