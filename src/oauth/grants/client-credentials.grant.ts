import { Injectable } from '@nestjs/common';
import { PlutoError } from '../../common/errors.js';
import { ApplicationsService } from '../../applications/applications.service.js';
import { parseScopes } from '../../rbac/effective-scopes.js';
import { UserGrantsService } from '../../rbac/user-grants.service.js';
import { AccessTokensService } from '../../token/access-tokens.service.js';
import type { TokenPair } from '../../token/token-issuer.service.js';
import { ClientApplicationsService } from '../client-applications.service.js';
import type { Grant, TokenRequest } from './grant.js';

/** No account has this id. */
const NOBODY = 0;

/**
 * Issues an access token for the client itself, without user and refresh token, for an application that the
 * client belongs to. Its scopes are limited to
 * those of the application's default role: the permissions of an account without an assigned role.
 * @see RFC 6749 section 4.4
 */
@Injectable()
export class ClientCredentialsGrant implements Grant {
  constructor(
    private readonly applications: ApplicationsService,
    private readonly clientApplications: ClientApplicationsService,
    private readonly grants: UserGrantsService,
    private readonly accessTokens: AccessTokensService,
  ) {}

  /** @throws PlutoError applicationNotExist | invalidApplication, if the client does not belong to it */
  async issue({ client, parameters }: TokenRequest): Promise<TokenPair> {
    const application = await this.applications.getByName(parameters.required('app_id'));
    if (!(await this.clientApplications.belongs(client, application.id))) throw foreign();
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

function foreign(): PlutoError {
  return new PlutoError('invalidApplication', {
    message: 'Invalid Application: the client does not belong to it; an administrator can add it',
  });
}
