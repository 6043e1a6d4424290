import type { TestApp } from './app.js';

/**
 * How many statements the server sends to its database while something is done: the fewest of three times,
 * since the mail worker and the key ring look at the database now and then on their own.
 */
export async function countQueries({ dataSource }: TestApp, work: () => Promise<unknown>): Promise<number> {
  const counts: number[] = [];
  for (let round = 0; round < 3; round++) {
    const spy = jest.spyOn(dataSource.logger, 'logQuery');
    try {
      await work();
      counts.push(spy.mock.calls.length);
    } finally {
      spy.mockRestore();
    }
  }
  return Math.min(...counts);
}

/** The statements that the server sends to its database while something is done. */
export async function collectQueries(
  { dataSource }: TestApp,
  work: () => Promise<unknown>,
): Promise<{ sql: string; parameters: unknown }[]> {
  const spy = jest.spyOn(dataSource.logger, 'logQuery');
  try {
    await work();
    return spy.mock.calls.map(([sql, parameters]) => ({ sql, parameters }));
  } finally {
    spy.mockRestore();
  }
}
