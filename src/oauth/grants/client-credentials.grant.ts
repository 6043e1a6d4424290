import { Injectable } from '@nestjs/common';
import { ApplicationsService } from '../../applications/applications.service.js';
import { parseScopes } from '../../rbac/effective-scopes.js';
import { UserGrantsService } from '../../rbac/user-grants.service.js';
import { AccessTokensService } from '../../token/access-tokens.service.js';
import type { TokenPair } from '../../token/token-issuer.service.js';
import type { Grant, TokenRequest } from './grant.js';

/** No account has this id. */
const NOBODY = 0;

/**
 * Issues an access token for the client itself, without user and refresh token. Its scopes are limited to
 * those of the application's default role: the permissions of an account without an assigned role.
 * @see RFC 6749 section 4.4
 */
@Injectable()
export class ClientCredentialsGrant implements Grant {
  constructor(
    private readonly applications: ApplicationsService,
    private readonly grants: UserGrantsService,
    private readonly accessTokens: AccessTokensService,
  ) {}

  /** @throws PlutoError applicationNotExist */
  async issue({ client, parameters }: TokenRequest): Promise<TokenPair> {
    const application = await this.applications.getByName(parameters.required('app_id'));
    const requested = parseScopes(parameters.scopes);
    const scopes = await this.grants.scopesFor({ userId: NOBODY, applicationId: application.id, requested });
    const { accessToken, expiresAt } = await this.accessTokens.sign({
      userId: NOBODY,
      applicationName: application.name,
      scopes,
      sessionId: '',
      clientKey: client.key,
    });
    return {
      accessToken,
      accessTokenExpiresAt: expiresAt,
      refreshToken: '',
      refreshTokenExpiresAt: 0,
      scopes,
    };
  }
}
