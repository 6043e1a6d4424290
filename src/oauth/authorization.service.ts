import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../common/caller.js';
import { errorCatalogue, PlutoError, type ErrorKey } from '../common/errors.js';
import { nowSeconds } from '../common/time.js';
import { Settings } from '../config/settings.js';
import { Transactions } from '../database/transactions.js';
import { ApplicationsService } from '../applications/applications.service.js';
import { parseScopes } from '../rbac/effective-scopes.js';
import { UserGrantsService } from '../rbac/user-grants.service.js';
import type { PageSession } from '../token/page-session.entity.js';
import { PageSessionsService } from '../token/page-sessions.service.js';
import { TokenIssuerService } from '../token/token-issuer.service.js';
import { AuthorizationCodesService } from './authorization-codes.service.js';
import {
  clampLifeTime,
  type AuthorizationParameters,
  type AuthorizationRequest,
  type ResponseType,
} from './authorization-request.js';
import { ClientsService } from './clients.service.js';
import type { OAuthClient } from './oauth-client.entity.js';
import { issuerOf } from './issuer.js';
import { isCodeChallenge } from './pkce.js';
import { isRegisteredRedirectUri, redirectWith } from './redirect-uri.js';

/** A refused request whose error is reported to the client by redirect. */
export interface RefusedRequest {
  refusedAt: string;
}

/** Error codes of RFC 6749 sections 4.1.2.1 and 4.2.2.1. */
type Refusal = 'access_denied' | 'invalid_request' | 'unsupported_response_type';

/** Where and how to redirect the browser. */
interface Return {
  redirectUri: string;
  responseType: string | undefined;
  state: string | undefined;
}

/** Validates authorization requests, and issues what users have consented to. */
@Injectable()
export class AuthorizationService {
  constructor(
    private readonly clients: ClientsService,
    private readonly applications: ApplicationsService,
    private readonly grants: UserGrantsService,
    private readonly pageSessions: PageSessionsService,
    private readonly codes: AuthorizationCodesService,
    private readonly tokens: TokenIssuerService,
    private readonly transactions: Transactions,
    private readonly settings: Settings,
  ) {}

  /**
   * Validates a request; a form may omit the redirect URI. The browser is not redirected until client and
   * redirect URI are verified.
   * @throws PlutoError invalidClient | invalidRedirectUri, to be shown to the user
   * @see RFC 6749 sections 4.1.2.1 and 4.2.2.1; RFC 9700 section 4.1
   */
  async examine(
    parameters: AuthorizationParameters,
    withoutRedirectUri: 'refuse' | 'registeredRedirectUri' = 'refuse',
  ): Promise<AuthorizationRequest | RefusedRequest> {
    const client = await this.clientOf(parameters);
    const { responseType, state, codeChallenge = '' } = parameters;
    const registered = withoutRedirectUri === 'refuse' ? undefined : client.redirectUri;
    const redirectUri = parameters.redirectUri ?? registered;
    if (redirectUri === undefined || !isRegisteredRedirectUri(redirectUri, client.redirectUri))
      throw new PlutoError('invalidRedirectUri', { page: 'redirectUri' });
    const back = { redirectUri, responseType, state };
    const application = await this.findApplication(parameters);
    const accessTokenTtlSeconds = clampLifeTime(parameters.lifeTime, this.settings.accessTokenTtlSeconds);
    if (responseType !== 'code' && responseType !== 'token')
      return this.refused(back, 'unsupported_response_type', 'badRequest');
    if (!application) return this.refused(back, 'invalid_request', 'applicationNotExist');
    if (accessTokenTtlSeconds === null || !isPkceSound(parameters))
      return this.refused(back, 'invalid_request', 'badRequest');
    return {
      client,
      application,
      redirectUri,
      responseType,
      state,
      scopes: parameters.scopes,
      codeChallenge,
      accessTokenTtlSeconds,
      isLongerThanUsual: accessTokenTtlSeconds > this.settings.accessTokenTtlSeconds,
      parameters,
    };
  }

  /**
   * The scopes that the user would grant: the requested ones that the user's role has, else its default
   * scope.
   */
  scopesFor({ application, scopes }: AuthorizationRequest, userId: number): Promise<string[]> {
    return this.grants.scopesFor({
      userId,
      applicationId: application.id,
      requested: parseScopes(scopes),
    });
  }

  /**
   * Issues the code or token that the user has consented to.
   * @param session of the browser in which the user has consented
   * @param shown the scopes that the user was shown
   * @returns the URL to redirect the browser to
   * @throws PlutoError invalidClient | invalidAccessToken, if the client was denied or the session ended
   *   meanwhile
   */
  async grant(
    request: AuthorizationRequest,
    session: PageSession,
    shown: string[],
    caller: Caller,
  ): Promise<string> {
    return request.responseType === 'code'
      ? this.grantCode(request, session, shown)
      : this.grantToken(request, session, shown, caller);
  }

  /** @returns the URL to redirect the browser to when the user declines */
  deny(request: AuthorizationRequest): string {
    return this.refused(request, 'access_denied', 'forbidden').refusedAt;
  }

  private async grantCode(
    request: AuthorizationRequest,
    session: PageSession,
    shown: string[],
  ): Promise<string> {
    const { client, application, redirectUri, codeChallenge, accessTokenTtlSeconds } = request;
    const code = await this.transactions.run(async (manager) => {
      await this.lock(manager, client, session);
      return this.codes.issue(manager, {
        clientId: client.id,
        userId: session.userId,
        pageSessionId: session.id,
        signedInBy: session.signedInBy,
        authenticatedAt: session.createdAt,
        applicationId: application.id,
        redirectUri,
        scopes: shown,
        codeChallenge,
        accessTokenTtlSeconds,
      });
    });
    return this.returnTo(request, { code });
  }

  private async grantToken(
    request: AuthorizationRequest,
    session: PageSession,
    shown: string[],
    caller: Caller,
  ): Promise<string> {
    const { client, application, accessTokenTtlSeconds } = request;
    const opened = await this.transactions.runFor(caller, async (manager) => {
      await this.lock(manager, client, session);
      return this.tokens.openSession(manager, {
        userId: session.userId,
        application,
        client: { key: client.key, requested: shown, ceiling: shown, accessTokenTtlSeconds },
        deviceId: undefined,
        caller,
        signedInBy: session.signedInBy,
        authenticatedAt: session.createdAt,
        isRefreshable: false,
      });
    });
    const { accessToken, accessTokenExpiresAt, scopes } = await this.tokens.sign(opened);
    return this.returnTo(request, {
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: String(accessTokenExpiresAt - nowSeconds()),
      scopes: scopes.join(' '),
    });
  }

  private refused(back: Return, error: Refusal, key: ErrorKey): RefusedRequest {
    const error_code = String(errorCatalogue[key].code);
    return { refusedAt: this.returnTo(back, { error, error_code }) };
  }

  /** RFC 9207: a client that uses several servers sees by `iss` which of them answers, also with an error. */
  private returnTo({ redirectUri, responseType, state }: Return, answer: Record<string, string>): string {
    const place = responseType === ('token' satisfies ResponseType) ? 'fragment' : 'query';
    return redirectWith(redirectUri, place, { ...answer, state, iss: issuerOf(this.settings) });
  }

  private async clientOf({ clientId = '' }: AuthorizationParameters): Promise<OAuthClient> {
    const client = await this.clients.find(clientId);
    if (client?.status !== 'approved') throw new PlutoError('invalidClient', { page: 'client' });
    return client;
  }

  private findApplication({ applicationName = '' }: AuthorizationParameters) {
    return this.applications.findByName(applicationName);
  }

  private async lock(manager: EntityManager, client: OAuthClient, session: PageSession): Promise<void> {
    await this.clients.lockApproved(manager, client);
    if (!(await this.pageSessions.lock(manager, session))) throw new PlutoError('invalidAccessToken');
  }
}

/** S256 only: with `plain`, the default, anyone who sees the request can fetch the tokens. */
function isPkceSound({ codeChallenge, codeChallengeMethod, responseType }: AuthorizationParameters): boolean {
  if (codeChallenge === undefined) return codeChallengeMethod === undefined;
  return responseType === 'code' && codeChallengeMethod === 'S256' && isCodeChallenge(codeChallenge);
}
