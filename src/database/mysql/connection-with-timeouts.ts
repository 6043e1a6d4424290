import type { Socket } from 'node:net';
import type { PoolConnection, QueryError } from 'mysql2';
import { DatabaseUnavailable, isConnectionLost } from '../database-error.js';
import { deadline } from './deadline.js';

/** How late an answer may be before a check whether the database is reachable at all. */
export const SUSPICIOUS_MS = 800;

type QueryCallback = (error: QueryError | null, ...rest: unknown[]) => void;

interface SentStatement {
  isPatient: boolean;
  settle: QueryCallback;
}

interface Guard {
  queryTimeoutMs: number;
  /** Whether statements currently have no timeout. */
  isPatient: () => boolean;
  suspect: () => void;
  noteAnswer: () => void;
  forget: () => void;
}

/**
 * Adds timeouts to a connection of mysql2's pool. A statement without answer in time fails, and the
 * connection is closed, since the late answer could still arrive on it.
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
      // TypeORM calls it for each statement, and mysql2 would resolve its module each time.
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

  /** Marks the connection as lent until it is released or destroyed. */
  lend(giveBack: () => void): void {
    this.giveBack = giveBack;
  }

  /** Closes the connection immediately and fails its statements, unless one of them has no timeout. */
  abandon(error: DatabaseUnavailable): void {
    const statements = [...this.statements];
    if (statements.some((statement) => statement.isPatient)) return;
    this.connection.destroy();
    // mysql2 only ends the socket, which a hanging server never answers.
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
