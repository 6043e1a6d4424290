import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { RECENT_SIGN_IN_METADATA, type Principal } from '../common/access.js';
import { PlutoError } from '../common/errors.js';
import { nowSeconds } from '../common/time.js';
import { ApplicationSettingsService } from '../applications/application-settings.service.js';
import { SessionsService } from './sessions.service.js';

const FRESH_SECONDS = 600;

/** Refuses routes with `@RecentSignIn()` unless the session's owner has proved to be there recently. */
@Injectable()
export class RecentSignInGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly settings: ApplicationSettingsService,
    private readonly sessions: SessionsService,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    if (this.reflector.get<boolean | undefined>(RECENT_SIGN_IN_METADATA, context.getHandler()) !== true)
      return true;
    const { user } = context.switchToHttp().getRequest<{ user?: Principal }>();
    if (!user) throw new Error('RecentSignIn is used on a route without an access token');
    return this.assertRecent(user);
  }

  private async assertRecent({ applicationId, sessionId }: Principal): Promise<boolean> {
    if (!(await this.settings.requiresRecentSignIn(applicationId))) return true;
    const authenticatedAt = await this.sessions.authenticatedAt(sessionId);
    const age = nowSeconds() - authenticatedAt;
    // A negative age: the clock was set back.
    if (age < 0 || age > FRESH_SECONDS) throw new PlutoError('signInAgain');
    return true;
  }
}
