import { type DynamicModule, Module } from '@nestjs/common';
import { HousekeepingSteps } from '../housekeeping/housekeeping-steps.js';
import { RbacModule } from '../rbac/rbac.module.js';
import type { ActorOutsideRequests } from './audit-actor.js';
import { ACTOR_OUTSIDE_REQUESTS, AuditRecorder } from './audit-recorder.service.js';
import { AuditTrailService } from './audit-trail.service.js';
import { AuditController } from './audit.controller.js';

export type { ActorOutsideRequests } from './audit-actor.js';

/** The audit trail, which subscribes to security events. */
@Module({})
export class AuditModule {
  constructor(steps: HousekeepingSteps, trail: AuditTrailService) {
    steps.register({ name: 'audit events', run: (signal) => trail.purgeExpired(signal) });
  }

  static forRoot(actorOutsideRequests: ActorOutsideRequests): DynamicModule {
    return {
      module: AuditModule,
      global: true,
      imports: [RbacModule],
      controllers: [AuditController],
      providers: [
        { provide: ACTOR_OUTSIDE_REQUESTS, useValue: actorOutsideRequests },
        AuditRecorder,
        AuditTrailService,
      ],
      exports: [AuditTrailService],
    };
  }
}
