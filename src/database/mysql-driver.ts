import mysql, { type Pool, type PoolOptions } from 'mysql2';

// The isolation and the strictness Pluto is written for, whatever the server's defaults are. A lock is awaited for
// less than a client waits for its answer; the transaction is then tried again.
const sessionSettings = [
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  `SET SESSION sql_mode = 'STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,` +
    `ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY', SESSION innodb_lock_wait_timeout = 5`,
];

/** mysql2 as TypeORM's `driver`, whose pool gives every new connection the session settings before its first use. */
export const mysqlDriver = {
  ...mysql,
  createPool(options: PoolOptions): Pool {
    const pool = mysql.createPool(options);
    pool.on('connection', (connection) => {
      for (const setting of sessionSettings) {
        // A connection without its settings must not serve: whoever has taken it sees it fail.
        connection.query(setting, (error) => error && connection.destroy());
      }
    });
    return pool;
  },
};
