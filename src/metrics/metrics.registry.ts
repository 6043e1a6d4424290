import { Injectable } from '@nestjs/common';
import { Gauge, Registry } from 'prom-client';
import { packageVersion } from '../common/package-version.js';
import { Settings } from '../config/settings.js';
import { processMetrics } from './process-metrics.js';

/** The metrics of one application, which are not those of another in the same process. */
@Injectable()
export class MetricsRegistry {
  readonly registry = new Registry();
  private readonly refreshers: (() => void | Promise<void>)[] = [];

  constructor({ database }: Settings) {
    new Gauge({
      name: 'pluto_build_info',
      help: 'Always 1; the labels say what runs.',
      labelNames: ['version', 'database'],
      registers: [this.registry],
    }).set({ version: packageVersion, database: database.kind }, 1);
  }

  /** Has something done before the values are read; it must not throw, nor take long. */
  onScrape(refresh: () => void | Promise<void>): void {
    this.refreshers.push(refresh);
  }

  /** Every value in Prometheus's text format, version 0.0.4. */
  async text(): Promise<string> {
    await Promise.all(this.refreshers.map(async (refresh) => refresh()));
    return Registry.merge([this.registry, processMetrics()]).metrics();
  }
}
