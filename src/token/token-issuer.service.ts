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
import { Session } from './session.entity.js';
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
  atOnce?: Authentication | null;
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

/** Thrown to have a second session of the same login undone. */
class AlreadyStored extends Error {
  override name = 'AlreadyStored';
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
    const { atOnce, client } = login;
    if (!atOnce || client) return this.pairOf(await this.openInTransaction(login));
    const opening = this.opening(login, atOnce.userId, await this.scopesFor(login, atOnce.userId));
    // Signed while it is written; nobody is told it before both are done.
    const [stored, pair] = await Promise.all([this.store(login, atOnce, opening), this.pairOf(opening)]);
    return stored === opening ? pair : this.pairOf(stored);
  }

  /**
   * What nearly all logins come to: one answer of MariaDB instead of eight.
   * @returns what was stored: another opening when something is not as it was read, or not any more
   */
  private async store(login: Login, atOnce: Authentication, opening: Opening): Promise<Opening> {
    if (await this.changeAll([...atOnce.changes, ...opening.changes])) {
      atOnce.afterCommit();
      return opening;
    }
    try {
      return await this.openInTransaction(login, opening.bearer.sessionId);
    } catch (error) {
      if (!(error instanceof AlreadyStored)) throw error;
      atOnce.afterCommit();
      return opening;
    }
  }

  private async changeAll(changes: Change[]): Promise<boolean> {
    try {
      return await this.allOrNone.change(changes);
    } catch (error) {
      // Somebody else has noted the same device, or deleted the account.
      if (isUniqueViolation(error) || isForeignKeyViolation(error)) return false;
      throw error;
    }
  }

  /** @param attempted a session of the same login that may have been stored, as when the connection was lost meanwhile */
  private openInTransaction(login: Login, attempted?: string): Promise<Opening> {
    return this.transactions.runFor(login.caller, async (manager) => {
      // It locks the account, so what is under way still is waited for.
      const userId = await login.authenticate(manager);
      if (attempted !== undefined && (await manager.existsBy(Session, { id: attempted })))
        throw new AlreadyStored();
      const opening = this.opening(login, userId, await this.scopesFor(login, userId, manager));
      for (const change of opening.changes) await execute(manager, change);
      await login.client?.onOpened?.(manager, opening.bearer.sessionId);
      return opening;
    });
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
