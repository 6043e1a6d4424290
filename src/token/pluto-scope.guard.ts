import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Principal } from '../common/access.js';
import { PlutoError, type ErrorKey } from '../common/errors.js';
import { PLUTO } from '../applications/pluto-names.js';
import { UserGrantsService } from '../rbac/user-grants.service.js';
import { accessOf } from './access-token.guard.js';

/**
 * Allows a token of `pluto` that has one of the scopes, if the account's role still has it: an account that
 * has lost the role is refused immediately, whatever its token says.
 */
@Injectable()
abstract class PlutoScopeGuard implements CanActivate {
  protected abstract readonly access: 'user' | 'admin';
  protected abstract readonly scopes: readonly string[];
  protected abstract readonly refusal: ErrorKey;

  constructor(
    private readonly grants: UserGrantsService,
    private readonly reflector: Reflector,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    return accessOf(context, this.reflector) !== this.access || this.admit(context);
  }

  private async admit(context: ExecutionContext): Promise<boolean> {
    const { user: principal } = context.switchToHttp().getRequest<{ user?: Principal }>();
    if (!principal) throw new PlutoError('unauthorized');
    if (principal.applicationName !== PLUTO.application) throw new PlutoError('invalidAccessToken');
    const inToken = this.scopes.filter((name) => principal.scopes.includes(name));
    const isHeldStill =
      inToken.length > 0 && (await this.grants.holdsAny(principal.userId, principal.applicationId, inToken));
    if (!isHeldStill) throw new PlutoError(this.refusal);
    return true;
  }
}

@Injectable()
export class AdminGuard extends PlutoScopeGuard {
  protected readonly access = 'admin';
  protected readonly scopes = [PLUTO.adminScope];
  protected readonly refusal = 'notPlutoAdmin';
}

@Injectable()
export class UserGuard extends PlutoScopeGuard {
  protected readonly access = 'user';
  protected readonly scopes = [PLUTO.userScope, PLUTO.adminScope];
  protected readonly refusal = 'notPlutoUser';
}
