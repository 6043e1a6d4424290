import type { EntityManager } from 'typeorm';

/**
 * Sends a statement as it is, where TypeORM's builders take longer than the database does.
 * @param manager of a running transaction
 * @returns how many rows it has found to change, changed or not
 */
export async function execute(manager: EntityManager, sql: string, parameters: unknown[]): Promise<number> {
  if (!manager.queryRunner) throw new Error('execute needs the manager of a running transaction');
  const { affected = 0 } = await manager.queryRunner.query(sql, parameters, true);
  return affected;
}
