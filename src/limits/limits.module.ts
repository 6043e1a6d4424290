import { Global, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { AddressLimitGuard } from './address-limit.guard.js';
import { LimitStores } from './limit-stores.service.js';
import { Limits } from './limits.service.js';

@Global()
@Module({
  providers: [LimitStores, Limits, { provide: APP_GUARD, useClass: AddressLimitGuard }],
  exports: [Limits, LimitStores],
})
export class LimitsModule {}
