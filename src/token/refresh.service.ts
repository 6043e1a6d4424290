import { Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { sha256 } from '../common/crypto.js';
import { PlutoError } from '../common/errors.js';
import type { Origin } from '../common/origin.js';
import { nowSeconds } from '../common/time.js';
import { Settings } from '../config/settings.js';
import { isForeignKeyViolation } from '../database/constraints.js';
import { SecurityEvents } from '../database/security-events.js';
import { Transactions } from '../database/transactions.js';
import { Limits } from '../limits/limits.service.js';
import { applicationKey, ApplicationsService } from '../rbac/applications.service.js';
import { parseScopes } from '../rbac/effective-scopes.js';
import { UserGrantsService } from '../rbac/user-grants.service.js';
import { RefreshTokensService, type ShownToken } from './refresh-tokens.service.js';
import { SessionsService } from './sessions.service.js';
import { TokenIssuerService, type TokenPair } from './token-issuer.service.js';

interface RefreshRequest {
  refreshToken: string;
  /** The application's name, as the client sent it. */
  applicationName: string;
  /** Wanted scopes; empty keeps those of the session. */
  scopes: string | undefined;
  /** The OAuth client that asks; null on the first-party route. */
  clientKey: string | null;
  origin: Origin;
}

type Rotation =
  { outcome: 'rotated'; scopes: string[]; refreshTokenExpiresAt: number } | { outcome: 'stolen' };

/** A token that passes. */
interface Exchange extends ShownToken {
  tokenHash: string;
}

/** Exchanges refresh tokens for their successors. */
@Injectable()
export class RefreshService {
  private readonly logger = new Logger('Refresh');

  constructor(
    private readonly transactions: Transactions,
    private readonly applications: ApplicationsService,
    private readonly sessions: SessionsService,
    private readonly tokens: RefreshTokensService,
    private readonly grants: UserGrantsService,
    private readonly issuer: TokenIssuerService,
    private readonly limits: Limits,
    private readonly events: SecurityEvents,
    private readonly settings: Settings,
  ) {}

  /**
   * Exchanges a refresh token for its successor, for the client alone that it was issued to. Shown again, it is answered with the same
   * successor until that has been used, and in any case within the grace period; later it is taken for stolen, and
   * its session ends.
   * @throws PlutoError applicationNotExist | invalidApplication | invalidRefreshToken | refreshTokenExpired |
   *   tooManyRequests
   * @see RFC 6749 section 6; RFC 9700 section 4.14
   */
  async refresh(request: RefreshRequest): Promise<TokenPair> {
    const tokenHash = sha256(request.refreshToken);
    const shown = await this.check(await this.tokens.find(tokenHash), request);
    const rotation = await this.rotate({ ...shown, tokenHash }, request);
    if (rotation.outcome === 'stolen') throw this.theft(shown, request.origin);
    return this.issuer.pair({
      userId: shown.session.userId,
      applicationName: shown.application.name,
      scopes: rotation.scopes,
      sessionId: shown.sessionId,
      clientKey: shown.session.clientKey,
      refreshToken: this.issuer.successorOf(request.refreshToken),
      refreshTokenExpiresAt: rotation.refreshTokenExpiresAt,
    });
  }

  /** Refuses what must not even consume the token. */
  private async check(shown: ShownToken | null, request: RefreshRequest): Promise<ShownToken> {
    const isOfApplication = shown?.application.nameKey === applicationKey(request.applicationName);
    // That there is no such application is told before anything of the token.
    if (!isOfApplication) await this.applications.getByName(request.applicationName);
    if (!shown || shown.session.clientKey !== request.clientKey) throw new PlutoError('invalidRefreshToken');
    await this.limits.count('refresh-session', shown.sessionId);
    if (!isOfApplication) throw new PlutoError('invalidApplication');
    if (shown.expiresAt <= nowSeconds()) throw new PlutoError('refreshTokenExpired');
    return shown;
  }

  private async rotate(exchange: Exchange, request: RefreshRequest): Promise<Rotation> {
    try {
      return await this.transactions.runFor(request.origin, (manager) =>
        this.rotateWithin(manager, exchange, request),
      );
    } catch (error) {
      // The session was ended by someone else while its successor was being stored.
      if (isForeignKeyViolation(error)) throw new PlutoError('invalidRefreshToken', { cause: error });
      throw error;
    }
  }

  private async rotateWithin(
    manager: EntityManager,
    exchange: Exchange,
    request: RefreshRequest,
  ): Promise<Rotation> {
    const { sessionId, session } = exchange;
    const latestScopes = await this.sessions.noteUse(manager, sessionId);
    if (!latestScopes) throw new PlutoError('invalidRefreshToken');
    const refreshTokenExpiresAt = await this.succeed(manager, exchange, request);
    if (refreshTokenExpiresAt === null) {
      const { userId, applicationId } = session;
      const detail = { session: sessionId };
      await this.sessions.end(manager, sessionId);
      await this.events.publish(manager, { type: 'refresh.reused', applicationId, userId, detail });
      return { outcome: 'stolen' };
    }
    const scopes = await this.scopesFor(manager, exchange, parseScopes(request.scopes), latestScopes);
    if (scopes.join() !== latestScopes.join()) await this.sessions.setScopes(manager, sessionId, scopes);
    return { outcome: 'rotated', scopes, refreshTokenExpiresAt };
  }

  /** Stores the successor, or finds it. @returns when it expires; null when the token was used by somebody else */
  private async succeed(
    manager: EntityManager,
    { tokenHash, sessionId, generation }: Exchange,
    { refreshToken }: RefreshRequest,
  ): Promise<number | null> {
    if (await this.tokens.use(manager, tokenHash)) {
      const place = {
        sessionId,
        generation: generation + 1,
        ttlSeconds: this.settings.refreshTokenTtlSeconds,
      };
      return this.tokens.add(manager, this.issuer.successorOf(refreshToken), place);
    }
    const used = await this.tokens.findUsed(manager, tokenHash);
    if (!used) throw new PlutoError('invalidRefreshToken');
    const isGraceOver = nowSeconds() > used.usedAt + this.settings.refreshTokenGraceSeconds;
    return used.successor.usedAt !== null && isGraceOver ? null : used.successor.expiresAt;
  }

  private scopesFor(
    manager: EntityManager,
    { session: { userId, applicationId, grantedScopes } }: Exchange,
    asked: string[],
    latestScopes: string[],
  ): Promise<string[]> {
    const requested = asked.length > 0 ? asked : latestScopes;
    const ceiling = grantedScopes === null ? {} : { ceiling: grantedScopes };
    return this.grants.scopesFor({ userId, applicationId, requested, ...ceiling }, manager);
  }

  private theft(
    { sessionId, session: { userId, applicationId } }: ShownToken,
    { requestId }: Origin,
  ): PlutoError {
    this.logger.warn({
      msg: 'a used refresh token was shown again: session ended',
      requestId,
      sessionId,
      userId,
      applicationId,
    });
    return new PlutoError('invalidRefreshToken');
  }
}
