import { Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { addressOf } from '../common/http/requests.js';
import type { LimitName } from '../config/request-limits.js';
import { Limits } from './limits.service.js';
import { networkOf } from './network.js';

const LIMIT_METADATA = 'pluto:address-limit';

/** Limits how often a route may be called from one address. */
export const LimitedByAddress = (name: LimitName) => SetMetadata(LIMIT_METADATA, name);

@Injectable()
export class AddressLimitGuard implements CanActivate {
  constructor(
    private readonly limits: Limits,
    private readonly reflector: Reflector,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const name = this.reflector.getAllAndOverride<LimitName | undefined>(LIMIT_METADATA, [
      context.getHandler(),
      context.getClass(),
    ]);
    return name === undefined || this.count(name, context.switchToHttp().getRequest<{ ip: string }>());
  }

  private async count(name: LimitName, request: { ip: string }): Promise<boolean> {
    await this.limits.count(name, networkOf(addressOf(request)));
    return true;
  }
}
