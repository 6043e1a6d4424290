import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DataSource, type QueryRunner } from 'typeorm';
import { isUniqueViolation } from '../constraints.js';
import { withoutQueryTimeout } from '../mysql/without-query-timeout.js';
import { isDatabaseUnavailable, isTransactionConflict } from '../database-error.js';

export interface LeaseTimes {
  /** How long after the death of its owner a lease is free again. */
  leaseSeconds: number;
  /** How long to wait for a lease of another instance. */
  waitSeconds: number;
}

/** Another instance held the lease for the whole waiting time. */
export class LeaseUnavailable extends Error {
  override name = 'LeaseUnavailable';
}

/** The lease expired during its work, so another instance may have started the same work. */
export class LeaseLost extends Error {
  override name = 'LeaseLost';
}

const pollMs = 200;
/** Maximum length of a lease: one that ends later was acquired before the database's clock was set back. */
const longestLeaseSeconds = 3600;

/**
 * Runs work that only one instance may do at a time, under a row of the table `leases` (not GET_LOCK, which
 * Galera and Vitess refuse). The lease is renewed while the work runs; the lease of a dead instance expires
 * by the database's clock.
 * @param work its signal is aborted when the lease is lost and the work should stop
 * @returns what `work` returned
 * @throws LeaseUnavailable | LeaseLost | whatever `work` threw
 */
export async function withLease<T>(
  dataSource: DataSource,
  name: string,
  work: (signal: AbortSignal) => Promise<T>,
  times: LeaseTimes,
): Promise<T> {
  const lease = new Lease(dataSource, name, times.leaseSeconds);
  await lease.createTable();
  await lease.acquire(times.waitSeconds);
  return hold(lease, name, work);
}

/**
 * As `withLease`, but skips the work if another instance has the lease.
 * @returns whether the lease was free, and the work was done
 * @throws LeaseLost | whatever `work` threw
 */
export async function withFreeLease(
  dataSource: DataSource,
  name: string,
  work: (signal: AbortSignal) => Promise<void>,
  leaseSeconds: number,
): Promise<boolean> {
  const lease = new Lease(dataSource, name, leaseSeconds);
  await lease.createTable();
  if (!(await lease.tryAcquire())) return false;
  await hold(lease, name, work);
  return true;
}

async function hold<T>(lease: Lease, name: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stopRenewing = lease.keepRenewing();
  let result: T;
  try {
    result = await work(lease.signal);
  } catch (error) {
    await stopRenewing();
    // The work's own error is the one to report.
    await lease.release().catch(() => false);
    throw error;
  }
  await stopRenewing();
  if (!(await lease.release())) throw new LeaseLost(`The lease ${name} was lost before its work was done`);
  return result;
}

class Lease {
  private readonly owner = randomUUID();
  private readonly lost = new AbortController();
  private readonly now: string;

  constructor(
    private readonly dataSource: DataSource,
    private readonly name: string,
    private readonly leaseSeconds: number,
  ) {
    this.now = this.isSqlite ? 'unixepoch()' : 'UNIX_TIMESTAMP()';
  }

  get signal(): AbortSignal {
    return this.lost.signal;
  }

  /** Not a migration, since migrations run under a lease. */
  async createTable(): Promise<void> {
    // Checked first, because the server may run without the privilege to create tables.
    if (await this.inRunner((runner) => runner.hasTable('leases'))) return;
    const collation = this.isSqlite ? '' : ' CHARACTER SET utf8mb4 COLLATE utf8mb4_bin';
    await withoutQueryTimeout(this.dataSource, () =>
      this.change(
        'CREATE TABLE IF NOT EXISTS leases (name varchar(64) NOT NULL PRIMARY KEY, ' +
          `owner varchar(36) NOT NULL, expires_at bigint NOT NULL)${collation}`,
      ),
    );
  }

  async acquire(waitSeconds: number): Promise<void> {
    const deadline = performance.now() + waitSeconds * 1000;
    while (!(await this.tryAcquire())) {
      if (performance.now() > deadline)
        throw new LeaseUnavailable(`Another instance holds the lease ${this.name}`);
      await sleep(pollMs * (0.5 + Math.random()));
    }
  }

  /** Renews the lease periodically until the returned function is called. */
  keepRenewing(): () => Promise<void> {
    let pending = Promise.resolve();
    let isPending = false;
    const timer = setInterval(
      () => {
        if (isPending) return;
        isPending = true;
        pending = this.renew().finally(() => (isPending = false));
      },
      (this.leaseSeconds * 1000) / 3,
    );
    return () => {
      clearInterval(timer);
      return pending;
    };
  }

  /** @returns whether it was still ours */
  async release(): Promise<boolean> {
    return this.changesRow('UPDATE leases SET expires_at = 0 WHERE name = ? AND owner = ?', [
      this.name,
      this.owner,
    ]);
  }

  /** @returns whether it was free and is ours now */
  async tryAcquire(): Promise<boolean> {
    try {
      return (await this.takeOver()) || (await this.insert());
    } catch (error) {
      if (isUniqueViolation(error) || isTransactionConflict(error)) return false;
      throw error;
    }
  }

  private takeOver(): Promise<boolean> {
    return this.changesRow(
      `UPDATE leases SET owner = ?, expires_at = ${this.now} + ? WHERE name = ? ` +
        `AND (expires_at < ${this.now} OR expires_at > ${this.now} + ?)`,
      [this.owner, this.leaseSeconds, this.name, longestLeaseSeconds],
    );
  }

  private insert(): Promise<boolean> {
    return this.changesRow(`INSERT INTO leases (name, owner, expires_at) VALUES (?, ?, ${this.now} + ?)`, [
      this.name,
      this.owner,
      this.leaseSeconds,
    ]);
  }

  private async renew(): Promise<void> {
    try {
      const isOurs = await this.changesRow(
        `UPDATE leases SET expires_at = ${this.now} + ? WHERE name = ? AND owner = ?`,
        [this.leaseSeconds, this.name, this.owner],
      );
      if (!isOurs) this.lost.abort(new LeaseLost(`The lease ${this.name} was lost`));
    } catch (error) {
      // The lease is still valid for a while and will be renewed when the database is reachable again.
      if (!isDatabaseUnavailable(error)) this.lost.abort(error);
    }
  }

  private async changesRow(sql: string, parameters: unknown[]): Promise<boolean> {
    return (await this.change(sql, parameters)) > 0;
  }

  private async change(sql: string, parameters: unknown[] = []): Promise<number> {
    const { affected } = await this.inRunner((runner) => runner.query(sql, parameters, true));
    return affected ?? 0;
  }

  private async inRunner<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    const runner = this.dataSource.createQueryRunner();
    try {
      return await work(runner);
    } finally {
      await runner.release();
    }
  }

  private get isSqlite(): boolean {
    return this.dataSource.options.type === 'better-sqlite3';
  }
}
