import { Injectable } from '@nestjs/common';
import { Gauge } from 'prom-client';
import { DataSource } from 'typeorm';
import { MetricsRegistry } from './metrics.registry.js';
import { poolUseOf, type PoolUse } from './pool-use.js';

/** Use of the database connections of this process; the embedded database has one. */
@Injectable()
export class PoolMetrics {
  constructor(
    private readonly metrics: MetricsRegistry,
    private readonly dataSource: DataSource,
  ) {
    this.addGauge(
      'pluto_database_pool_limit',
      'Maximum database connections of this process.',
      (gauge, { limit }) => gauge.set(limit),
    );
    this.addGauge(
      'pluto_database_pool_waiting',
      'Callers waiting for a database connection.',
      (gauge, { waiting }) => gauge.set(waiting),
    );
    this.addGauge(
      'pluto_database_pool_connections',
      'Database connections by state.',
      (gauge, { inUse, idle }) => {
        gauge.set({ state: 'in_use' }, inUse);
        gauge.set({ state: 'idle' }, idle);
      },
      ['state'],
    );
  }

  /** Read last, so that the queries of the scrape itself are not counted. */
  private addGauge(
    name: string,
    help: string,
    update: (gauge: Gauge, use: PoolUse) => void,
    labelNames: string[] = [],
  ): void {
    const { dataSource } = this;
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.metrics.registry],
      collect() {
        const use = poolUseOf(dataSource);
        if (use) update(this, use);
      },
    });
  }
}
