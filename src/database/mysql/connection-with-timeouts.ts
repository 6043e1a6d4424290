import type { Socket } from 'node:net';
import type { PoolConnection, QueryError } from 'mysql2';
import { DatabaseUnavailable, isConnectionLost } from '../database-error.js';
import { deadline } from './deadline.js';

/** How late an answer may be before it is asked whether the database is there at all. */
export const SUSPICIOUS_MS = 800;

type QueryCallback = (error: QueryError | null, ...rest: unknown[]) => void;

interface SentStatement {
  isPatient: boolean;
  settle: QueryCallback;
}

interface Guard {
  queryTimeoutMs: number;
  /** Whether statements may take as long as they like just now. */
  isPatient: () => boolean;
  suspect: () => void;
  noteAnswer: () => void;
  forget: () => void;
}

/**
 * Lets no statement on a connection of mysql2's pool wait for ever. One that is not answered in time fails, and the
 * connection with it: what it would say next is unknown.
 */
export class ConnectionWithTimeouts {
  private readonly statements = new Set<SentStatement>();
  private giveBack: () => void = () => undefined;

  constructor(
    private readonly connection: PoolConnection,
    private readonly guard: Guard,
  ) {
    const query = connection.query.bind(connection) as (...parameters: unknown[]) => unknown;
    const release = connection.release.bind(connection);
    const destroy = connection.destroy.bind(connection);
    const promised = connection.promise();
    Object.assign(connection, {
      // TypeORM asks for it at each statement, and mysql2 looks for the file anew: 4 % of the event loop's time of a login.
      promise: () => promised,
      query: (...parameters: unknown[]) => {
        const callback = parameters.at(-1);
        if (typeof callback !== 'function') return query(...parameters);
        return query(...parameters.slice(0, -1), this.begin(callback as QueryCallback));
      },
      release: () => this.endLease(release),
      destroy: () => {
        this.guard.forget();
        this.endLease(destroy);
      },
    });
  }

  /** Notes that somebody has the connection until they release or destroy it. */
  lend(giveBack: () => void): void {
    this.giveBack = giveBack;
  }

  /** Ends the connection at once; what waits on it fails, except where a statement may take long. */
  abandon(error: DatabaseUnavailable): void {
    const statements = [...this.statements];
    if (statements.some((statement) => statement.isPatient)) return;
    this.connection.destroy();
    // mysql2 only says goodbye, and a server that hangs never answers that.
    (this.connection as { stream?: Socket }).stream?.destroy();
    statements.forEach(({ settle }) => settle(error as unknown as QueryError));
  }

  private begin(callback: QueryCallback): QueryCallback {
    const { queryTimeoutMs, suspect, noteAnswer } = this.guard;
    const isPatient = this.guard.isPatient();
    const reminders = isPatient
      ? []
      : [
          deadline(Math.min(SUSPICIOUS_MS, queryTimeoutMs), suspect),
          deadline(queryTimeoutMs, () => this.giveUp()),
        ];
    const statement: SentStatement = {
      isPatient,
      settle: (error, ...rest) => {
        if (!this.statements.delete(statement)) return;
        reminders.forEach((callOff) => callOff());
        if (error && isConnectionLost(error)) suspect();
        else noteAnswer();
        callback(error, ...rest);
      },
    };
    this.statements.add(statement);
    return statement.settle;
  }

  private giveUp(): void {
    const { queryTimeoutMs } = this.guard;
    this.abandon(
      new DatabaseUnavailable('QUERY_TIMEOUT', `the database did not answer within ${queryTimeoutMs} ms`),
    );
  }

  private endLease(end: () => void): void {
    const { giveBack } = this;
    this.giveBack = () => undefined;
    end();
    giveBack();
  }
}
