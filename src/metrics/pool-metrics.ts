import { Injectable } from '@nestjs/common';
import { Gauge } from 'prom-client';
import { DataSource } from 'typeorm';
import { MetricsRegistry } from './metrics.registry.js';
import { poolUseOf } from './pool-use.js';

/** Tells how this process uses its connections to the database; with the embedded one there is one. */
@Injectable()
export class PoolMetrics {
  constructor(metrics: MetricsRegistry, dataSource: DataSource) {
    const registers = [metrics.registry];
    const limit = new Gauge({
      name: 'pluto_database_pool_limit',
      help: 'How many connections to the database this process may have.',
      registers,
    });
    const connections = new Gauge({
      name: 'pluto_database_pool_connections',
      help: 'Connections to the database by state.',
      labelNames: ['state'],
      registers,
    });
    const waiting = new Gauge({
      name: 'pluto_database_pool_waiting',
      help: 'Pieces of work that wait for a connection to the database.',
      registers,
    });
    metrics.onScrape(() => {
      const use = poolUseOf(dataSource);
      if (!use) return;
      limit.set(use.limit);
      connections.set({ state: 'in_use' }, use.inUse);
      connections.set({ state: 'idle' }, use.idle);
      waiting.set(use.waiting);
    });
  }
}
