import type { PoolOptions } from 'mysql2';
import { PoolWithTimeouts, type PoolTimes } from './pool-with-timeouts.js';
import { mysql2 } from './mysql2.js';

// The isolation level and SQL mode that Pluto requires, whatever the server's defaults are. The lock wait
// timeout, which MySQL may exceed by a second, is shorter than the query timeout: a lock timeout is always
// retried, a lost connection only within the first second.
const sessionSettings = [
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  `SET SESSION sql_mode = 'STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,` +
    `ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY', SESSION innodb_lock_wait_timeout = 1`,
];

// Galera reads see what any node has committed; otherwise a valid session could be refused as ended.
const galeraSetting = 'SET SESSION wsrep_sync_wait = 1';

/**
 * mysql2 as TypeORM's `driver`; its pool applies the session settings to every new connection before its
 * first use.
 */
export function mysqlDriver(times: PoolTimes) {
  return {
    ...mysql2(),
    createPool: (options: PoolOptions) =>
      new PoolWithTimeouts(options, times, { needed: sessionSettings, tried: [galeraSetting] }),
  };
}
