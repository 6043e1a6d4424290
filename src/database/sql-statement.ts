import type { EntityManager } from 'typeorm';

/** A statement that changes rows, for hot paths where TypeORM's query builders would be too slow. */
export interface SqlStatement {
  sql: string;
  parameters: unknown[];
}

/**
 * @param manager of a running transaction
 * @returns how many rows the statement matched, changed or not
 */
export async function execute(manager: EntityManager, { sql, parameters }: SqlStatement): Promise<number> {
  const runner = manager.queryRunner;
  if (!runner) throw new Error('execute requires the manager of a running transaction');
  const { affected = 0 } = await runner.query(sql, parameters, true);
  return affected;
}
