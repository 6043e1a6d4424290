import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../common/caller.js';
import { hmac, randomToken } from '../common/crypto.js';
import { nowSeconds } from '../common/time.js';
import { SecretKey } from '../config/secret-key.js';
import { Settings } from '../config/settings.js';
import { AllOrNone } from '../database/all-or-none.js';
import { isForeignKeyViolation, isUniqueViolation } from '../database/constraints.js';
import { execute, type Change } from '../database/statements.js';
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
  /** Where statements alone can do what `authenticate` does, they are tried first. */
  atOnce?: Authentication;
}

/** Whose session it is, if all the changes can be made: as for `AllOrNone`. */
export interface Authentication {
  userId: number;
  changes: Change[];
  afterCommit: () => void;
}

/** A session that is about to be stored, with its refresh token. */
interface Opening {
  bearer: TokenBearer & { sessionId: string };
  refreshToken: string;
  refreshTokenExpiresAt: number;
  changes: Change[];
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
    private readonly allOrNone: AllOrNone,
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
  async openSession(login: Login): Promise<TokenPair> {
    const opened = login.atOnce && !login.client ? await this.openAtOnce(login, login.atOnce) : null;
    if (opened) return opened;
    const opening = await this.transactions.runFor(login.caller, async (manager) => {
      const userId = await login.authenticate(manager);
      const begun = this.opening(login, userId, await this.scopesFor(login, userId, manager));
      for (const change of begun.changes) await execute(manager, change);
      await login.client?.onOpened?.(manager, begun.bearer.sessionId);
      return begun;
    });
    return this.pairOf(opening);
  }

  /**
   * What nearly all logins come to: one answer of MariaDB instead of eight, and the access token is signed meanwhile.
   * @returns null when something is not as it was read, or not any more
   */
  private async openAtOnce(login: Login, authentication: Authentication): Promise<TokenPair | null> {
    const { userId, changes, afterCommit } = authentication;
    const opening = this.opening(login, userId, await this.scopesFor(login, userId));
    const [isMade, pair] = await Promise.all([
      this.changeAll([...changes, ...opening.changes], opening.bearer.sessionId),
      this.pairOf(opening),
    ]);
    if (!isMade) return null;
    afterCommit();
    return pair;
  }

  private async changeAll(changes: Change[], sessionId: string): Promise<boolean> {
    try {
      if (await this.allOrNone.change(changes)) return true;
    } catch (error) {
      // Somebody else has noted the same device, or deleted the account.
      if (isUniqueViolation(error) || isForeignKeyViolation(error)) return false;
      throw error;
    }
    // The connection may have been lost after they were made.
    return (await this.sessions.findBearer(sessionId)) !== null;
  }

  private scopesFor(
    { application, client }: Login,
    userId: number,
    manager?: EntityManager,
  ): Promise<string[]> {
    const grant = {
      userId,
      applicationId: application.id,
      requested: client?.requested ?? [],
      ...(client?.ceiling && { ceiling: client.ceiling }),
    };
    return this.grants.scopesFor(grant, manager);
  }

  private opening(login: Login, userId: number, scopes: string[]): Opening {
    const { application, client, deviceId = '', caller, isRefreshable = true } = login;
    const clientKey = client?.key ?? null;
    const session = this.sessions.add({
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
    const refreshTokenExpiresAt = nowSeconds() + this.sessionTtlOf(client, isRefreshable);
    const place = { sessionId: session.id, generation: 1, expiresAt: refreshTokenExpiresAt };
    return {
      bearer: {
        userId,
        applicationName: application.name,
        scopes,
        sessionId: session.id,
        clientKey,
        ttlSeconds: client?.accessTokenTtlSeconds,
      },
      refreshToken,
      refreshTokenExpiresAt,
      changes: [session.change, this.refreshTokens.add(refreshToken, place)],
    };
  }

  private pairOf({ bearer, refreshToken, refreshTokenExpiresAt }: Opening): Promise<TokenPair> {
    return this.pair({ ...bearer, refreshToken, refreshTokenExpiresAt });
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
