import { Injectable } from '@nestjs/common';
import { Gauge } from 'prom-client';
import { LimitStores } from '../limits/limit-stores.service.js';
import { MetricsRegistry } from './metrics.registry.js';

/** Whether limits are counted together with other instances; without REDIS_URL there is no such metric. */
@Injectable()
export class RedisMetrics {
  private gauge: Gauge | null = null;

  constructor(
    private readonly metrics: MetricsRegistry,
    stores: LimitStores,
  ) {
    metrics.onScrape(() => {
      if (stores.isShared !== null) this.update(stores.isShared);
    });
  }

  private update(isUp: boolean): void {
    this.gauge ??= new Gauge({
      name: 'pluto_redis_up',
      help: 'Whether Redis counts request limits for all instances; else each process counts alone.',
      registers: [this.metrics.registry],
    });
    this.gauge.set(isUp ? 1 : 0);
  }
}
