import { type DynamicModule, type INestApplicationContext, Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import type { Settings } from '../config/settings.js';
import { MailModule } from '../mail/mail.module.js';
import { TokenModule } from '../token/token.module.js';
import { DatabaseMetrics } from './database-metrics.js';
import { HashMetrics } from './hash-metrics.js';
import { HttpMetrics } from './http-metrics.js';
import { MailMetrics } from './mail-metrics.js';
import { MetricsController } from './metrics.controller.js';
import { MetricsRegistry } from './metrics.registry.js';
import { MetricsServer } from './metrics.server.js';
import { PoolMetrics } from './pool-metrics.js';
import { RedisMetrics } from './redis-metrics.js';
import { SecurityMetrics } from './security-metrics.js';

/**
 * Metrics for Prometheus: `/metrics` is on METRICS_PORT, or on the port of the API if that is unset. The
 * token, if set, is required on both.
 */
@Module({})
export class MetricsModule {
  static forRoot({ metricsPort }: Settings): DynamicModule {
    return {
      module: MetricsModule,
      imports: [AuthModule, MailModule, TokenModule],
      controllers: metricsPort === undefined ? [MetricsController] : [],
      providers: [
        DatabaseMetrics,
        HashMetrics,
        HttpMetrics,
        MailMetrics,
        MetricsRegistry,
        MetricsServer,
        PoolMetrics,
        RedisMetrics,
        SecurityMetrics,
      ],
    };
  }
}

/** Opens METRICS_PORT. */
export async function startMetrics(app: INestApplicationContext): Promise<void> {
  await app.get(MetricsServer).listen();
}
