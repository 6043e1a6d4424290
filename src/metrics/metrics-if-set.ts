import { type DynamicModule, type INestApplicationContext, Module } from '@nestjs/common';
import type { Settings } from '../config/settings.js';

@Module({})
class NoMetrics {}

/** The metrics, off unless METRICS_PORT or METRICS_TOKEN is set; their modules are not loaded then. */
export async function metricsIfSet(settings: Settings): Promise<DynamicModule> {
  if (settings.metricsPort === undefined && settings.metricsToken === undefined) return { module: NoMetrics };
  const { MetricsModule } = await import('./metrics.module.js');
  return MetricsModule.forRoot(settings);
}

/** Opens METRICS_PORT if it is set. */
export async function startMetricsIfSet(app: INestApplicationContext, settings: Settings): Promise<void> {
  if (settings.metricsPort === undefined) return;
  const { startMetrics } = await import('./metrics.module.js');
  await startMetrics(app);
}
