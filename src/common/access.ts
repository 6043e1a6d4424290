import { applyDecorators, createParamDecorator, SetMetadata, type ExecutionContext } from '@nestjs/common';
import { ApiSecurity } from '@nestjs/swagger';

/** Who may call a route. Without a decorator it is `accessToken`: access is closed by default. */
export type Access = 'public' | 'accessToken' | 'firstParty' | 'user' | 'admin';

export const ACCESS_METADATA = 'pluto:access';

const access = (value: Access) => SetMetadata(ACCESS_METADATA, value);

/** Opens a route to everyone. */
export const Public = () => access('public');

/** Requires an access token of any application. */
export const AccessTokenOnly = () => applyDecorators(access('accessToken'), ApiSecurity('AccessToken'));

/**
 * Requires a first-party access token, not an OAuth client's: a user's consent to a third party does not
 * cover this.
 */
export const FirstPartyOnly = () => applyDecorators(access('firstParty'), ApiSecurity('AccessToken'));

export const RECENT_SIGN_IN_METADATA = 'pluto:recent-sign-in';

/**
 * Requires a sign-in or reauthentication of the last ten minutes, where the application's settings say so: an
 * access token that was stolen must not suffice to take over the account.
 */
export const RecentSignIn = () => SetMetadata(RECENT_SIGN_IN_METADATA, true);

/** Requires an access token of the application `pluto` with the scope `pluto.user` or `pluto.admin`. */
export const UserOnly = () => applyDecorators(access('user'), ApiSecurity('UserAuth'));

/**
 * Requires an access token of the application `pluto` with the scope `pluto.admin`, which the account must
 * still have.
 */
export const AdminOnly = () => applyDecorators(access('admin'), ApiSecurity('AdminAuth'));

/** The bearer of a verified access token. */
export interface Principal {
  userId: number;
  applicationId: number;
  applicationName: string;
  sessionId: string;
  scopes: string[];
  /** The OAuth client that got the token; null for a first-party login. */
  clientKey: string | null;
}

/** The bearer of the request's access token, as a controller's parameter. */
export const CurrentPrincipal = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const { user } = context.switchToHttp().getRequest<{ user?: Principal }>();
  if (!user) throw new Error('CurrentPrincipal is used on a route without an access token');
  return user;
});
