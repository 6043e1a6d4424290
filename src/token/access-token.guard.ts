import { Injectable, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import { ACCESS_METADATA, type Access, type Principal } from '../common/access.js';
import { PlutoError } from '../common/errors.js';
import { ACCESS_TOKEN_STRATEGY } from './access-token.strategy.js';

/** Lets through public routes, and otherwise only the bearer of a good access token. */
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

/** A client that a user has let act for them must not be able to take the account away from them. */
function refuseClients(principal: Principal | undefined): void {
  if (principal?.clientKey !== null)
    throw new PlutoError('forbidden', {
      message: "Operation Forbidden: not allowed with an OAuth client's access token",
    });
}

/** What the route asks for; closed when it does not say. */
export function accessOf(context: ExecutionContext, reflector: Reflector): Access {
  const routeAndController = [context.getHandler(), context.getClass()];
  return (
    reflector.getAllAndOverride<Access | undefined>(ACCESS_METADATA, routeAndController) ?? 'accessToken'
  );
}
