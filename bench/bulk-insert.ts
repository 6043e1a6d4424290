import type { QueryRunner } from 'typeorm';

/**
 * Inserts rows by one statement; whole numbers, texts and nulls only.
 * @returns the id of the first row; the others follow without a gap
 */
export async function bulkInsert(
  runner: QueryRunner,
  table: string,
  columns: readonly string[],
  rows: readonly (readonly unknown[])[],
): Promise<number> {
  const places = `(${columns.map(() => '?').join(',')})`;
  const values = new Array<string>(rows.length).fill(places).join(',');
  const answer: unknown = await runner.query(
    `INSERT INTO ${table} (${columns.join(',')}) VALUES ${values}`,
    rows.flat(),
  );
  // SQLite tells the last id, MySQL the first one.
  return typeof answer === 'number' || typeof answer === 'bigint'
    ? Number(answer) - rows.length + 1
    : (answer as { insertId: number }).insertId;
}

/** One transaction around the work. */
export async function inTransaction<T>(runner: QueryRunner, work: () => Promise<T>): Promise<T> {
  await runner.startTransaction();
  try {
    const result = await work();
    await runner.commitTransaction();
    return result;
  } catch (error) {
    await runner.rollbackTransaction();
    throw error;
  }
}
