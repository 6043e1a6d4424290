import { Injectable, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import { ACCESS_METADATA, type Access, type Principal } from '../common/access.js';
import { PlutoError } from '../common/errors.js';
import { ACCESS_TOKEN_STRATEGY } from './access-token.strategy.js';

/** Allows public routes, and requires a valid access token for all others. */
@Injectable()
export class AccessTokenGuard extends AuthGuard(ACCESS_TOKEN_STRATEGY) {
  constructor(private readonly reflector: Reflector) {
    super();
  }

  override canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const access = accessOf(context, this.reflector);
    return access === 'public' || this.admit(context, access);
  }

  private async admit(context: ExecutionContext, access: Access): Promise<boolean> {
    await super.canActivate(context);
    const { user: principal } = context.switchToHttp().getRequest<{ user?: Principal }>();
    if (access === 'firstParty') refuseClients(principal);
    return principal !== undefined;
  }

  override handleRequest<Principal>(error: Error | null, principal: Principal | false): Principal {
    if (error) throw error;
    if (!principal) throw new PlutoError('unauthorized');
    return principal;
  }
}

/** An OAuth client that acts for a user must not be able to take over or delete the account. */
function refuseClients(principal: Principal | undefined): void {
  if (principal?.clientKey !== null)
    throw new PlutoError('forbidden', {
      message: "Operation Forbidden: not allowed with an OAuth client's access token",
    });
}

/** The access that the route requires; an access token by default. */
export function accessOf(context: ExecutionContext, reflector: Reflector): Access {
  const routeAndController = [context.getHandler(), context.getClass()];
  return (
    reflector.getAllAndOverride<Access | undefined>(ACCESS_METADATA, routeAndController) ?? 'accessToken'
  );
}
