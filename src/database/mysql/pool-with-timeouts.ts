import type { Pool, PoolConnection, PoolOptions } from 'mysql2';
import { DatabaseUnavailable } from '../database-error.js';
import { DatabaseWatch } from './database-watch.js';
import { ConnectionWithTimeouts } from './connection-with-timeouts.js';
import { askDatabase } from './ask-database.js';
import { mysql2 } from './mysql2.js';
import { deadline } from './deadline.js';

export interface PoolTimes {
  acquireTimeoutMs: number;
  queryTimeoutMs: number;
}

/** Statements for each new connection; it is not used if a needed one fails. */
export interface SessionSettings {
  needed: readonly string[];
  tried: readonly string[];
}

type Callback = (error: Error | null, connection?: PoolConnection) => void;

/** A caller that waits for a connection. */
class Waiter {
  isWaiting = true;
  private readonly callOff: () => void;

  constructor(
    private readonly callback: Callback,
    timeoutMs: number,
    onTimeout: () => void,
  ) {
    this.callOff = deadline(timeoutMs, onTimeout);
  }

  /** @returns whether the caller was still waiting */
  settle(error: Error | null, connection?: PoolConnection): boolean {
    if (!this.isWaiting) return false;
    this.isWaiting = false;
    this.callOff();
    this.callback(error, connection);
    return true;
  }
}

/**
 * mysql2's pool as TypeORM uses it, with a timeout for every wait: for a connection and for an answer. While
 * the database is unreachable, everything fails immediately.
 */
export class PoolWithTimeouts {
  private readonly pool: Pool;
  private readonly watch: DatabaseWatch;
  private readonly connections = new Map<PoolConnection, ConnectionWithTimeouts>();
  /** In order of arrival; mysql2's own queue has no way to leave it. */
  private readonly queue = new Set<Waiter>();
  private readonly served = new Set<Waiter>();
  private readonly limit: number;
  private free: number;
  private slowWorks = 0;

  constructor(
    options: PoolOptions,
    private readonly times: PoolTimes,
    sessionSettings: SessionSettings,
  ) {
    this.limit = options.connectionLimit ?? 10;
    this.free = this.limit;
    this.watch = new DatabaseWatch(
      () => askDatabase(options),
      () => this.abandonAll(),
    );
    this.pool = mysql2().createPool(options);
    this.pool.on('connection', (connection) => this.adopt(connection, sessionSettings));
  }

  /** How long a caller waits for a connection, in milliseconds. */
  get acquireTimeoutMs(): number {
    return this.times.acquireTimeoutMs;
  }

  /** Numbers of connections and of waiting callers. */
  get use(): { limit: number; inUse: number; idle: number; waiting: number } {
    // A connection that is being opened counts as in use.
    const inUse = this.limit - this.free;
    const idle = Math.max(0, this.connections.size - inUse);
    return { limit: this.limit, inUse, idle, waiting: this.queue.size };
  }

  getConnection(callback: Callback): void {
    if (this.watch.isAway) return process.nextTick(callback, unreachable());
    const { acquireTimeoutMs } = this.times;
    const waiter = new Waiter(callback, acquireTimeoutMs, () => {
      this.queue.delete(waiter);
      this.served.delete(waiter);
      waiter.settle(
        new DatabaseUnavailable('POOL_EXHAUSTED', `no connection was free within ${acquireTimeoutMs} ms`),
      );
    });
    this.queue.add(waiter);
    this.serve();
  }

  /** Sends one statement on a free connection. @returns mysql2's result: for a SELECT its rows */
  async send<Answer>(sql: string, parameters: unknown[]): Promise<Answer> {
    const connection = await new Promise<PoolConnection>((resolve, reject) =>
      this.getConnection((error, lent) => (lent ? resolve(lent) : reject(error ?? unreachable()))),
    );
    try {
      return await new Promise<Answer>((resolve, reject) =>
        connection.query(sql, parameters, (error, answer) =>
          error ? reject(error) : resolve(answer as Answer),
        ),
      );
    } finally {
      connection.release();
    }
  }

  /** Statements have no timeout while the work runs. */
  async withoutQueryTimeout<T>(work: () => Promise<T>): Promise<T> {
    this.slowWorks += 1;
    try {
      return await work();
    } finally {
      this.slowWorks -= 1;
    }
  }

  /** Closes all connections, gracefully if they answer. */
  end(callback: (error?: Error | null) => void): void {
    this.watch.stop();
    let isEnded = false;
    const finish = (error?: Error | null) => {
      if (isEnded) return;
      isEnded = true;
      callOff();
      callback(error);
    };
    const callOff = deadline(this.times.queryTimeoutMs, () => {
      this.abandonAll();
      finish();
    });
    this.pool.end(finish);
  }

  private serve(): void {
    const [waiter] = this.queue;
    if (!waiter || this.free === 0) return;
    this.queue.delete(waiter);
    this.served.add(waiter);
    this.free -= 1;
    this.pool.getConnection((error, connection) => {
      this.served.delete(waiter);
      const guarded = error ? undefined : this.connections.get(connection);
      if (guarded) {
        guarded.lend(() => this.giveBack());
        if (!waiter.settle(null, connection)) connection.release();
        return;
      }
      // A connection that is not in the map was closed after the pool had chosen it.
      const reason = error?.message ?? 'the connection was closed';
      this.giveBack();
      this.watch.suspect();
      waiter.settle(
        new DatabaseUnavailable('CONNECTION_FAILED', `the database is unreachable: ${reason}`, {
          cause: error,
        }),
      );
    });
  }

  private giveBack(): void {
    this.free += 1;
    this.serve();
  }

  private adopt(connection: PoolConnection, { needed, tried }: SessionSettings): void {
    const guarded = new ConnectionWithTimeouts(connection, {
      queryTimeoutMs: this.times.queryTimeoutMs,
      isPatient: () => this.slowWorks > 0,
      suspect: () => this.watch.suspect(),
      noteAnswer: () => this.watch.noteAnswer(),
      forget: () => this.connections.delete(connection),
    });
    this.connections.set(connection, guarded);
    const noteLoss = () => {
      if (this.connections.delete(connection)) this.watch.suspect();
    };
    connection.on('error', noteLoss);
    connection.on('end', noteLoss);
    // MySQL does not have these settings.
    for (const setting of tried) connection.query(setting, () => undefined);
    for (const setting of needed) {
      // A connection without its settings must not be used: its statements fail.
      connection.query(setting, (error) => {
        if (!error) return;
        const message = 'the session settings of a new connection failed';
        guarded.abandon(new DatabaseUnavailable('CONNECTION_FAILED', message, { cause: error }));
      });
    }
  }

  private abandonAll(): void {
    const waiters = [...this.queue, ...this.served];
    this.queue.clear();
    waiters.forEach((waiter) => waiter.settle(unreachable()));
    for (const guarded of [...this.connections.values()]) guarded.abandon(unreachable());
  }
}

function unreachable(): DatabaseUnavailable {
  return new DatabaseUnavailable('DATABASE_AWAY', 'the database is unreachable');
}
