import { type DynamicModule, Module } from '@nestjs/common';
import { migrations } from '../migrations/index.js';
import { AuditModule, type ActorOutsideRequests } from './audit/audit.module.js';
import { AuthModule } from './auth/auth.module.js';
import { LegacyAdminModule } from './auth/legacy-admin/legacy-admin.module.js';
import { ConfigModule } from './config/config.module.js';
import type { Settings } from './config/settings.js';
import { DatabaseModule } from './database/database.module.js';
import { entities } from './entities.js';
import { HealthModule } from './health/health.module.js';
import { HousekeepingModule } from './housekeeping/housekeeping.module.js';
import { EventsModule } from './events/events.module.js';
import { LimitsModule } from './limits/limits.module.js';
import { metricsIfSet } from './metrics/metrics-if-set.js';
import { OAuthModule } from './oauth/oauth.module.js';
import { SharedModule } from './server/shared.module.js';
import { UsersModule } from './users/users.module.js';
import { WebModule } from './web/web.module.js';

@Module({})
export class AppModule {
  /** @param actorOutsideRequests the actor that the audit trail names outside requests */
  static forRoot(settings: Settings, actorOutsideRequests: ActorOutsideRequests = 'system'): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.forRoot(settings),
        DatabaseModule.forRoot(entities, migrations, { mayCreate: actorOutsideRequests !== 'cli' }),
        EventsModule,
        SharedModule,
        LimitsModule,
        AuditModule.forRoot(actorOutsideRequests),
        AuthModule,
        HealthModule,
        HousekeepingModule,
        LegacyAdminModule.forRoot(settings),
        metricsIfSet(settings),
        OAuthModule,
        UsersModule,
        WebModule,
      ],
    };
  }
}
