import { Injectable, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import { ACCESS_METADATA, type Access, type Principal } from '../common/access.js';
import { PlutoError } from '../common/errors.js';
import { ACCESS_TOKEN_STRATEGY, tokenFromHeader, type BearingRequest } from './access-token.strategy.js';
import { AccessTokensService, tokenError } from './access-tokens.service.js';

/** What passport-jwt says when the request bears no token. */
const NO_TOKEN = 'No auth token';

/** Lets through public routes, and otherwise only the bearer of a good access token. */
@Injectable()
export class AccessTokenGuard extends AuthGuard(ACCESS_TOKEN_STRATEGY) {
  constructor(
    private readonly accessTokens: AccessTokensService,
    private readonly reflector: Reflector,
  ) {
    super();
  }

  override canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const access = accessOf(context, this.reflector);
    return access === 'public' || this.admit(context, access);
  }

  private async admit(context: ExecutionContext, access: Access): Promise<boolean> {
    const request = context.switchToHttp().getRequest<BearingRequest & { user?: Principal }>();
    // Passport's way takes as long as all else: it is for tokens of which it is to say what is wrong with them.
    const token = tokenFromHeader(request);
    const bearer = token === null ? null : await this.accessTokens.findBearer(token);
    if (bearer) request.user = bearer;
    else await super.canActivate(context);
    const { user: principal } = request;
    if (access === 'firstParty') refuseClients(principal);
    return principal !== undefined;
  }

  override handleRequest<Principal>(error: unknown, principal: Principal | false, info: unknown): Principal {
    if (error) throw tokenError(error);
    if (principal) return principal;
    if (info instanceof Error && info.message !== NO_TOKEN) throw tokenError(info);
    throw new PlutoError('unauthorized');
  }
}

/** A client that a user has let act for them must not be able to take the account away from them. */
function refuseClients(principal: Principal | undefined): void {
  if (principal?.clientKey !== null)
    throw new PlutoError('forbidden', { message: "Operation Forbidden: not with an OAuth client's token" });
}

/** What the route asks for; closed when it does not say. */
export function accessOf(context: ExecutionContext, reflector: Reflector): Access {
  const routeAndController = [context.getHandler(), context.getClass()];
  return (
    reflector.getAllAndOverride<Access | undefined>(ACCESS_METADATA, routeAndController) ?? 'accessToken'
  );
}
