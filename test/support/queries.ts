import type { TestApp } from './app.js';

/** How many statements the server sends to its database while something is done. */
export async function countQueries({ dataSource }: TestApp, work: () => Promise<unknown>): Promise<number> {
  const spy = jest.spyOn(dataSource.logger, 'logQuery');
  try {
    await work();
    return spy.mock.calls.length;
  } finally {
    spy.mockRestore();
  }
}
