import { SqliteConnection } from './sqlite-connection.js';

/**
 * Counts in a database file that nothing in this process has open.
 * @param statements each selects a count as `n`; the first that counts 0 is the last one to run
 * @returns the count of the last statement that ran
 * @throws SqliteError when the file is locked or no database
 */
export function countInFile(path: string, statements: string[]): number {
  const connection = new SqliteConnection(path);
  try {
    let found = 0;
    for (const sql of statements) {
      found = Number((connection.prepare(sql).get() as { n: number }).n);
      if (found === 0) break;
    }
    return found;
  } finally {
    connection.close();
  }
}
