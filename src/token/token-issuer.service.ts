import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../common/caller.js';
import { hmac, randomToken } from '../common/crypto.js';
import { nowSeconds } from '../common/time.js';
import { SecretKey } from '../config/secret-key.js';
import { Settings } from '../config/settings.js';
import { execute } from '../database/sql-statement.js';
import { UserGrantsService } from '../rbac/user-grants.service.js';
import { AccessTokensService, type TokenBearer } from './access-tokens.service.js';
import { RefreshTokensService } from './refresh-tokens.service.js';
import { SessionsService } from './sessions.service.js';

/** An access token with the refresh token that goes with it; times in seconds since the epoch. */
export interface TokenPair {
  accessToken: string;
  accessTokenExpiresAt: number;
  refreshToken: string;
  refreshTokenExpiresAt: number;
  scopes: string[];
}

/** An account that has proved who it is, and what it is to get. */
export interface Login {
  userId: number;
  application: { id: number; name: string };
  /** The OAuth client that the session is for; without, a first-party login. */
  client?: ClientGrant;
  deviceId: string | undefined;
  caller: Caller;
  /** False where nobody gets the refresh token: then the session ends with its access token. */
  isRefreshable?: boolean;
}

/** What an OAuth client is to get. */
export interface ClientGrant {
  key: string;
  /** Empty for the default scope of the account's role. */
  requested: string[];
  /** The scopes that the user was shown, which must not be exceeded. */
  ceiling?: string[];
  /** Of the first access token, instead of that of the settings. */
  accessTokenTtlSeconds?: number;
}

/** What a pair of tokens is made of. */
export interface TokenGrant extends TokenBearer {
  refreshToken: string;
  /** Seconds since the epoch. */
  refreshTokenExpiresAt: number;
}

/** An access token is signed a moment after its session is stored. */
const SIGNING_MARGIN_SECONDS = 60;

/** Opens sessions, with their first refresh tokens, and signs pairs of tokens. */
@Injectable()
export class TokenIssuerService {
  private readonly successorKey: Buffer;

  constructor(
    private readonly sessions: SessionsService,
    private readonly grants: UserGrantsService,
    private readonly accessTokens: AccessTokensService,
    private readonly refreshTokens: RefreshTokensService,
    private readonly settings: Settings,
    secretKey: SecretKey,
  ) {
    this.successorKey = secretKey.derive('refresh-token-successor');
  }

  /**
   * Stores a session with its first refresh token, in the transaction that has proved whose it is and has locked the
   * account.
   * @returns what `sign` makes the tokens of, once that transaction is committed
   */
  async openSession(manager: EntityManager, login: Login): Promise<TokenGrant> {
    const { userId, application, client, deviceId = '', caller, isRefreshable = true } = login;
    const scopes = await this.grants.scopesFor(
      {
        userId,
        applicationId: application.id,
        requested: client?.requested ?? [],
        ...(client?.ceiling && { ceiling: client.ceiling }),
      },
      manager,
    );
    const clientKey = client?.key ?? null;
    const sessionId = await this.sessions.add(manager, {
      userId,
      applicationId: application.id,
      clientKey,
      grantedScopes: client ? scopes : null,
      deviceId,
      address: caller.address,
      userAgent: caller.userAgent,
      scopes,
    });
    const refreshToken = randomToken();
    const refreshTokenExpiresAt = nowSeconds() + this.sessionTtlSeconds(client, isRefreshable);
    const first = { sessionId, generation: 1, expiresAt: refreshTokenExpiresAt };
    await execute(manager, this.refreshTokens.add(refreshToken, first));
    return {
      userId,
      applicationName: application.name,
      scopes,
      sessionId,
      clientKey,
      ttlSeconds: client?.accessTokenTtlSeconds,
      refreshToken,
      refreshTokenExpiresAt,
    };
  }

  /** Signs the access token of a session that is committed. */
  async sign(grant: TokenGrant): Promise<TokenPair> {
    const { accessToken, expiresAt } = await this.accessTokens.sign(grant);
    return {
      accessToken,
      accessTokenExpiresAt: expiresAt,
      refreshToken: grant.refreshToken,
      refreshTokenExpiresAt: grant.refreshTokenExpiresAt,
      scopes: grant.scopes,
    };
  }

  /**
   * The token that follows another. It is derived, not drawn, so that whoever shows the old one again gets the same
   * successor although only hashes are stored; without the server's key nobody can derive it.
   */
  successorOf(refreshToken: string): string {
    return hmac(this.successorKey, refreshToken);
  }

  /** A session goes with its last refresh token, and its access tokens with it. */
  private sessionTtlSeconds(client: ClientGrant | undefined, isRefreshable: boolean): number {
    const { accessTokenTtlSeconds, refreshTokenTtlSeconds } = this.settings;
    const ttlSeconds = (client?.accessTokenTtlSeconds ?? accessTokenTtlSeconds) + SIGNING_MARGIN_SECONDS;
    return isRefreshable ? Math.max(refreshTokenTtlSeconds, ttlSeconds) : ttlSeconds;
  }
}
