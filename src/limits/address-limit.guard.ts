import { Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { addressOf } from '../common/http/request-context.js';
import type { LimitName } from '../config/request-limits.js';
import { Limits } from './limits.service.js';
import { networkOf } from './network.js';

const LIMIT_METADATA = 'pluto:address-limit';

/** Bounds how often a route is called from one address. */
export const LimitedByAddress = (name: LimitName) => SetMetadata(LIMIT_METADATA, name);

@Injectable()
export class AddressLimitGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly limits: Limits,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const name = this.reflector.getAllAndOverride<LimitName | undefined>(LIMIT_METADATA, [
      context.getHandler(),
      context.getClass(),
    ]);
    const request = context.switchToHttp().getRequest<{ ip: string }>();
    if (name !== undefined) await this.limits.count(name, networkOf(addressOf(request)));
    return true;
  }
}
