import { Injectable } from '@nestjs/common';
import { PlutoError } from '../../common/errors.js';
import { nowSeconds } from '../../common/time.js';
import { ApplicationsService } from '../../rbac/applications.service.js';
import { TokenIssuerService, type TokenPair } from '../../token/token-issuer.service.js';
import type { AuthorizationCode } from '../authorization-code.entity.js';
import { AuthorizationCodesService } from '../authorization-codes.service.js';
import { ClientsService } from '../clients.service.js';
import { isVerifierRight } from '../pkce.js';
import type { Grant, TokenParameters, TokenRequest } from './grant.js';

/** Another request has used the code up since it was looked at. */
class CodeUsed extends Error {}

/**
 * Exchanges an authorization code.
 * @see RFC 6749 section 4.1.3; RFC 7636 section 4.5
 */
@Injectable()
export class AuthorizationCodeGrant implements Grant {
  constructor(
    private readonly codes: AuthorizationCodesService,
    private readonly clients: ClientsService,
    private readonly applications: ApplicationsService,
    private readonly tokens: TokenIssuerService,
  ) {}

  /** @throws PlutoError authorizationCodeNotFound | authorizationCodeExpired | invalidRedirectUri | invalidClient */
  async issue({ client, parameters, caller }: TokenRequest): Promise<TokenPair> {
    const code = await this.codes.find(parameters.required('code'));
    if (code?.clientId !== client.id) throw new PlutoError('authorizationCodeNotFound');
    try {
      check(code, parameters);
      return await this.tokens.openSession({
        application: await this.applications.getById(code.applicationId),
        client: {
          key: client.key,
          requested: code.scopes,
          ceiling: code.scopes,
          accessTokenTtlSeconds: code.accessTokenTtlSeconds,
          onOpened: (manager, sessionId) => this.codes.noteSession(manager, code, sessionId),
        },
        deviceId: parameters.deviceId,
        caller,
        authenticate: async (manager) => {
          await this.clients.lockApproved(manager, client);
          if (!(await this.codes.consume(manager, code))) throw new CodeUsed();
          return code.userId;
        },
      });
    } catch (error) {
      if (!(error instanceof CodeUsed)) throw error;
      await this.codes.revokeIssued(code, caller);
      throw new PlutoError('authorizationCodeNotFound');
    }
  }
}

function check(code: AuthorizationCode, parameters: TokenParameters): void {
  const redirectUri = parameters.required('redirect_uri');
  const verifier = parameters.optional('code_verifier');
  if (redirectUri !== code.redirectUri) throw new PlutoError('invalidRedirectUri');
  if (!isVerifierRight(code.codeChallenge, verifier))
    throw new PlutoError('authorizationCodeNotFound', {
      message: 'Authorization code not found: code_verifier does not fit',
    });
  if (code.usedAt !== null) throw new CodeUsed();
  if (code.pageSessionId === null) throw new PlutoError('authorizationCodeNotFound');
  if (code.expiresAt <= nowSeconds()) throw new PlutoError('authorizationCodeExpired');
}
