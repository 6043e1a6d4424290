import { Injectable } from '@nestjs/common';
import { Gauge } from 'prom-client';
import { DataSource } from 'typeorm';
import { MetricsRegistry } from './metrics.registry.js';
import { poolUseOf, type PoolUse } from './pool-use.js';

/** Tells how this process uses its connections to the database; with the embedded one there is one. */
@Injectable()
export class PoolMetrics {
  constructor(
    private readonly metrics: MetricsRegistry,
    private readonly dataSource: DataSource,
  ) {
    this.addGauge(
      'pluto_database_pool_limit',
      'How many connections to the database this process may have.',
      (gauge, { limit }) => gauge.set(limit),
    );
    this.addGauge(
      'pluto_database_pool_waiting',
      'Pieces of work that wait for a connection to the database.',
      (gauge, { waiting }) => gauge.set(waiting),
    );
    this.addGauge(
      'pluto_database_pool_connections',
      'Connections to the database by state.',
      (gauge, { inUse, idle }) => {
        gauge.set({ state: 'in_use' }, inUse);
        gauge.set({ state: 'idle' }, idle);
      },
      ['state'],
    );
  }

  /** Its value is read last, so that what the scrape itself asks the database is not counted. */
  private addGauge(
    name: string,
    help: string,
    tell: (gauge: Gauge, use: PoolUse) => void,
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
        if (use) tell(this, use);
      },
    });
  }
}
