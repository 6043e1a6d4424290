import { Injectable } from '@nestjs/common';
import { PlutoError } from '../../common/errors.js';
import { nowSeconds } from '../../common/time.js';
import { Transactions } from '../../database/transactions.js';
import { ApplicationsService } from '../../applications/applications.service.js';
import { TokenIssuerService, type TokenGrant, type TokenPair } from '../../token/token-issuer.service.js';
import type { AuthorizationCode } from '../authorization-code.entity.js';
import { AuthorizationCodesService } from '../authorization-codes.service.js';
import { ClientsService } from '../clients.service.js';
import { isVerifierRight } from '../pkce.js';
import type { Grant, TokenParameters, TokenRequest } from './grant.js';

/**
 * Exchanges an authorization code.
 * @see RFC 6749 section 4.1.3; RFC 7636 section 4.5
 */
@Injectable()
export class AuthorizationCodeGrant implements Grant {
  constructor(
    private readonly transactions: Transactions,
    private readonly codes: AuthorizationCodesService,
    private readonly clients: ClientsService,
    private readonly applications: ApplicationsService,
    private readonly tokens: TokenIssuerService,
  ) {}

  /**
   * @throws PlutoError authorizationCodeNotFound | authorizationCodeExpired | invalidRedirectUri |
   * invalidClient
   */
  async issue({ client, parameters, caller }: TokenRequest): Promise<TokenPair> {
    const code = await this.codes.find(parameters.required('code'));
    if (code?.clientId !== client.id) throw new PlutoError('authorizationCodeNotFound');
    check(code, parameters);
    const session = code.usedAt === null ? await this.exchange(code, { client, parameters, caller }) : null;
    if (session) return this.tokens.sign(session);
    await this.codes.revokeIssued(code, caller);
    throw new PlutoError('authorizationCodeNotFound');
  }

  /** @returns null when another request has consumed the code meanwhile */
  private async exchange(
    code: AuthorizationCode,
    { client, parameters, caller }: TokenRequest,
  ): Promise<TokenGrant | null> {
    if (code.pageSessionId === null) throw new PlutoError('authorizationCodeNotFound');
    if (code.expiresAt <= nowSeconds()) throw new PlutoError('authorizationCodeExpired');
    const { userId, scopes, accessTokenTtlSeconds, signedInBy, authenticatedAt } = code;
    const application = await this.applications.getById(code.applicationId);
    return this.transactions.runFor(caller, async (manager) => {
      await this.clients.lockApproved(manager, client);
      if (!(await this.codes.consume(manager, code))) return null;
      const session = await this.tokens.openSession(manager, {
        userId,
        application,
        client: { key: client.key, requested: scopes, ceiling: scopes, accessTokenTtlSeconds },
        deviceId: parameters.deviceId,
        caller,
        signedInBy,
        authenticatedAt,
      });
      await this.codes.noteSession(manager, code, session.sessionId);
      return session;
    });
  }
}

function check(code: AuthorizationCode, parameters: TokenParameters): void {
  const redirectUri = parameters.required('redirect_uri');
  const verifier = parameters.optional('code_verifier');
  if (redirectUri !== code.redirectUri) throw new PlutoError('invalidRedirectUri');
  if (!isVerifierRight(code.codeChallenge, verifier))
    throw new PlutoError('authorizationCodeNotFound', {
      message: 'Authorization code not found: code_verifier does not match',
    });
}
