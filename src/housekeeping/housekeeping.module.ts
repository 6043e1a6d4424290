import { Global, Module } from '@nestjs/common';
import { Housekeeping } from './housekeeping.service.js';
import { HousekeepingSteps } from './housekeeping-steps.js';

/** Global, so that every module can register its steps. */
@Global()
@Module({
  providers: [Housekeeping, HousekeepingSteps],
  exports: [Housekeeping, HousekeepingSteps],
})
export class HousekeepingModule {}
