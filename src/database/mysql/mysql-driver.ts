import type { PoolOptions } from 'mysql2';
import { PoolWithTimeouts, type PoolTimes } from './pool-with-timeouts.js';
import { mysql2 } from './mysql2.js';

// The isolation and the strictness Pluto is written for, whatever the server's defaults are. A lock is awaited for
// less than an answer, which MySQL may give a second late: a conflict is tried again, a lost connection seldom.
const sessionSettings = [
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  `SET SESSION sql_mode = 'STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,` +
    `ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY', SESSION innodb_lock_wait_timeout = 1`,
];

// Galera answers a read after what was committed on any node, or a session that is there would be refused as ended.
const galeraSetting = 'SET SESSION wsrep_sync_wait = 1';

/** mysql2 as TypeORM's `driver`, whose pool gives every new connection the session settings before its first use. */
export function mysqlDriver(times: PoolTimes) {
  return {
    ...mysql2(),
    createPool: (options: PoolOptions) =>
      new PoolWithTimeouts(options, times, { needed: sessionSettings, tried: [galeraSetting] }),
  };
}
