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
import type { SignedInBy } from './session.entity.js';
import { SessionsService } from './sessions.service.js';

/** An access token and its refresh token; times in seconds since the epoch. */
export interface TokenPair {
  accessToken: string;
  accessTokenExpiresAt: number;
  refreshToken: string;
  refreshTokenExpiresAt: number;
  scopes: string[];
}

/** An authenticated account and the session that it gets. */
export interface Login {
  userId: number;
  application: { id: number; name: string };
  /** The OAuth client of the session; omitted for a first-party login. */
  client?: ClientGrant;
  deviceId: string | undefined;
  caller: Caller;
  /** `''` if unknown. */
  signedInBy: SignedInBy | '';
  /** When the person signed in, in seconds since the epoch, 0 if unknown; omitted for just now. */
  authenticatedAt?: number;
  /** False if the refresh token is not handed out: then the session ends with its access token. */
  isRefreshable?: boolean;
}

/** What is granted to an OAuth client. */
export interface ClientGrant {
  key: string;
  /** Empty for the default scope of the account's role. */
  requested: string[];
  /** The scopes that the user was shown, which the grant must not exceed. */
  ceiling?: string[];
  /** Lifetime of the first access token, instead of ACCESS_TOKEN_TTL. */
  accessTokenTtlSeconds?: number;
}

/** The input for signing a token pair. */
export interface TokenGrant extends TokenBearer {
  refreshToken: string;
  /** Seconds since the epoch. */
  refreshTokenExpiresAt: number;
}

/** An access token is signed shortly after its session is stored. */
const SIGNING_MARGIN_SECONDS = 60;

/** Opens sessions with their first refresh tokens, and signs token pairs. */
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
   * Stores a session with its first refresh token, in the transaction that has confirmed the credentials and
   * locked the account.
   * @returns the input for `sign`, to be called after the transaction is committed
   */
  async openSession(manager: EntityManager, login: Login): Promise<TokenGrant> {
    const {
      userId,
      application,
      client,
      deviceId = '',
      caller,
      signedInBy,
      authenticatedAt = nowSeconds(),
      isRefreshable = true,
    } = login;
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
      signedInBy,
      authenticatedAt,
      scopes,
    });
    const refreshToken = randomToken();
    const now = nowSeconds();
    const sessionEndsAt = now + this.settings.sessionMaxAgeSeconds;
    const refreshTokenExpiresAt = Math.min(
      now + this.sessionTtlSeconds(client, isRefreshable),
      sessionEndsAt,
    );
    const first = { sessionId, generation: 1, expiresAt: refreshTokenExpiresAt };
    await execute(manager, this.refreshTokens.add(refreshToken, first));
    return {
      userId,
      applicationName: application.name,
      scopes,
      sessionId,
      clientKey,
      ttlSeconds: client?.accessTokenTtlSeconds,
      sessionEndsAt,
      refreshToken,
      refreshTokenExpiresAt,
    };
  }

  /** Signs the access token of a committed session. */
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
   * The successor of a refresh token. It is derived rather than random, so that repeating the old token
   * returns the same successor although only hashes are stored. Deriving it requires the server's key.
   */
  successorOf(refreshToken: string): string {
    return hmac(this.successorKey, refreshToken);
  }

  /** A session ends when its last refresh token expires, which also ends its access tokens. */
  private sessionTtlSeconds(client: ClientGrant | undefined, isRefreshable: boolean): number {
    const { accessTokenTtlSeconds, refreshTokenTtlSeconds } = this.settings;
    const ttlSeconds = (client?.accessTokenTtlSeconds ?? accessTokenTtlSeconds) + SIGNING_MARGIN_SECONDS;
    return isRefreshable ? Math.max(refreshTokenTtlSeconds, ttlSeconds) : ttlSeconds;
  }
}
