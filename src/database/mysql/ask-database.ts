import type { Socket } from 'node:net';
import type { PoolOptions } from 'mysql2';
import { mysql2 } from './mysql2.js';
import { deadline } from './deadline.js';

/**
 * Checks on a new connection whether the database answers.
 * @throws Error if it does not answer within the connect timeout
 */
export async function askDatabase({ connectionLimit: _, ...options }: PoolOptions): Promise<void> {
  const connection = mysql2().createConnection(options);
  let callOff: () => void = () => undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      connection.on('error', reject);
      callOff = deadline(options.connectTimeout ?? 1000, () => reject(new Error('no answer in time')));
      connection.query('SELECT 1', (error) => (error ? reject(error) : resolve()));
    });
  } finally {
    callOff();
    connection.destroy();
    (connection as { stream?: Socket }).stream?.destroy();
  }
}
