import { Injectable } from '@nestjs/common';
import { Gauge, Registry } from 'prom-client';
import { packageVersion } from '../common/package-version.js';
import { Settings } from '../config/settings.js';
import { processMetrics } from './process-metrics.js';

/** The metrics of one application, separate from others in the same process. */
@Injectable()
export class MetricsRegistry {
  readonly registry = new Registry();
  private readonly refreshers: (() => void | Promise<void>)[] = [];

  constructor({ database }: Settings) {
    new Gauge({
      name: 'pluto_build_info',
      help: 'Always 1; the labels name version and database.',
      labelNames: ['version', 'database'],
      registers: [this.registry],
    }).set({ version: packageVersion, database: database.kind }, 1);
  }

  /** Registers work to do before the values are read; it must be fast and must not throw. */
  onScrape(refresh: () => void | Promise<void>): void {
    this.refreshers.push(refresh);
  }

  /** Every value in Prometheus's text format, version 0.0.4. */
  async text(): Promise<string> {
    await Promise.all(this.refreshers.map(async (refresh) => refresh()));
    return Registry.merge([this.registry, processMetrics()]).metrics();
  }
}
