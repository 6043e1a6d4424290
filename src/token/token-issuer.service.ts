import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../common/caller.js';
import { hmac, randomToken } from '../common/crypto.js';
import { nowSeconds } from '../common/time.js';
import { SecretKey } from '../config/secret-key.js';
import { Settings } from '../config/settings.js';
import { execute } from '../database/statements.js';
import { Transactions } from '../database/transactions.js';
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

export interface Login {
  application: { id: number; name: string };
  /** The OAuth client that the session is for; without, a first-party login. */
  client?: ClientGrant;
  deviceId: string | undefined;
  caller: Caller;
  /** False where nobody is given the refresh token: then the session ends with its access token. */
  isRefreshable?: boolean;
  /**
   * Runs first in the session's transaction and says whose session it is; throws when what was proved before it does
   * not hold any more.
   */
  authenticate: (manager: EntityManager) => Promise<number>;
}

/** What an OAuth client is to get. */
export interface ClientGrant {
  key: string;
  /** Empty for the default scope of the account's role. */
  requested: string[];
  /** What is not to be exceeded: those that the user was shown. */
  ceiling?: string[];
  /** Of the first access token, instead of that of the settings. */
  accessTokenTtlSeconds?: number;
  /** Told the session in its transaction. */
  onOpened?: (manager: EntityManager, sessionId: string) => Promise<void>;
}

/** An access token is signed a moment after its session is stored. */
const SIGNING_MARGIN_SECONDS = 60;

/** Opens sessions and stores their refresh tokens. */
@Injectable()
export class TokenIssuerService {
  private readonly successorKey: Buffer;

  constructor(
    private readonly transactions: Transactions,
    private readonly sessions: SessionsService,
    private readonly grants: UserGrantsService,
    private readonly accessTokens: AccessTokensService,
    private readonly refreshTokens: RefreshTokensService,
    private readonly settings: Settings,
    secretKey: SecretKey,
  ) {
    this.successorKey = secretKey.derive('refresh-token-successor');
  }

  /** Opens a session for an account that has proved who it is. */
  async openSession({
    application,
    client,
    deviceId = '',
    caller,
    isRefreshable = true,
    authenticate,
  }: Login): Promise<TokenPair> {
    const refreshToken = randomToken();
    const { session, expiresAt } = await this.transactions.runFor(caller, async (manager) => {
      const userId = await authenticate(manager);
      const scopes = await this.grants.scopesFor(
        {
          userId,
          applicationId: application.id,
          requested: client?.requested ?? [],
          ...(client?.ceiling && { ceiling: client.ceiling }),
        },
        manager,
      );
      const opened = await this.sessions.add(manager, {
        userId,
        applicationId: application.id,
        clientKey: client?.key ?? null,
        grantedScopes: client ? scopes : null,
        deviceId,
        address: caller.address,
        userAgent: caller.userAgent,
        scopes,
      });
      const refreshTokenExpiresAt = nowSeconds() + this.sessionTtlOf(client, isRefreshable);
      const place = { sessionId: opened.id, generation: 1, expiresAt: refreshTokenExpiresAt };
      await execute(manager, this.refreshTokens.add(refreshToken, place));
      await client?.onOpened?.(manager, opened.id);
      return { session: opened, expiresAt: refreshTokenExpiresAt };
    });
    return this.pair({
      userId: session.userId,
      applicationName: application.name,
      scopes: session.scopes,
      sessionId: session.id,
      clientKey: session.clientKey,
      ttlSeconds: client?.accessTokenTtlSeconds,
      refreshToken,
      refreshTokenExpiresAt: expiresAt,
    });
  }

  /**
   * The token that follows another. It is derived, not drawn, so that whoever shows the old one again is given the
   * same successor although only hashes are stored; without the server's key nobody can derive it.
   */
  successorOf(refreshToken: string): string {
    return hmac(this.successorKey, refreshToken);
  }

  async pair(
    parts: TokenBearer & { refreshToken: string; refreshTokenExpiresAt: number },
  ): Promise<TokenPair> {
    const { accessToken, expiresAt } = await this.accessTokens.sign(parts);
    return {
      accessToken,
      accessTokenExpiresAt: expiresAt,
      refreshToken: parts.refreshToken,
      refreshTokenExpiresAt: parts.refreshTokenExpiresAt,
      scopes: parts.scopes,
    };
  }

  /** A session goes with its last refresh token, and its access tokens with it. */
  private sessionTtlOf(client: ClientGrant | undefined, isRefreshable: boolean): number {
    const { accessTokenTtlSeconds, refreshTokenTtlSeconds } = this.settings;
    const ttlSeconds = (client?.accessTokenTtlSeconds ?? accessTokenTtlSeconds) + SIGNING_MARGIN_SECONDS;
    return isRefreshable ? Math.max(refreshTokenTtlSeconds, ttlSeconds) : ttlSeconds;
  }
}
