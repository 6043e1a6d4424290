import { Injectable, Logger } from '@nestjs/common';
import { DataSource, IsNull, type EntityManager } from 'typeorm';
import { sha256 } from '../common/crypto.js';
import { PlutoError } from '../common/errors.js';
import { nowSeconds } from '../common/time.js';
import { Settings } from '../config/settings.js';
import { isForeignKeyViolation } from '../database/constraints.js';
import { SecurityEvents } from '../database/security-events.js';
import { Transactions } from '../database/transactions.js';
import { Limits } from '../limits/limits.service.js';
import type { Application } from '../rbac/application.entity.js';
import { ApplicationsService } from '../rbac/applications.service.js';
import { parseScopes } from '../rbac/effective-scopes.js';
import { UserGrantsService } from '../rbac/user-grants.service.js';
import { RefreshToken } from './refresh-token.entity.js';
import { Session } from './session.entity.js';
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
}

type Rotation =
  | { outcome: 'rotated'; session: Session; scopes: string[]; refreshTokenExpiresAt: number }
  | { outcome: 'stolen'; session: Session };

/** Exchanges refresh tokens for their successors. */
@Injectable()
export class RefreshService {
  private readonly logger = new Logger('Refresh');

  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly applications: ApplicationsService,
    private readonly sessions: SessionsService,
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
    const application = await this.applications.getByName(request.applicationName);
    const tokenHash = sha256(request.refreshToken);
    await this.check(tokenHash, application, request.clientKey);
    const rotation = await this.rotate(tokenHash, request);
    if (rotation.outcome === 'stolen') throw this.theft(rotation.session);
    return this.issuer.pair({
      userId: rotation.session.userId,
      applicationName: application.name,
      scopes: rotation.scopes,
      sessionId: rotation.session.id,
      clientKey: rotation.session.clientKey,
      refreshToken: this.issuer.successorOf(request.refreshToken),
      refreshTokenExpiresAt: rotation.refreshTokenExpiresAt,
    });
  }

  /** Refuses what must not even consume the token. */
  private async check(tokenHash: string, application: Application, clientKey: string | null): Promise<void> {
    const token = await this.dataSource.manager.findOneBy(RefreshToken, { tokenHash });
    const session = token && (await this.sessions.find(token.sessionId));
    if (!session || session.clientKey !== clientKey) throw new PlutoError('invalidRefreshToken');
    await this.limits.count('refresh-session', session.id);
    if (session.applicationId !== application.id) throw new PlutoError('invalidApplication');
    if (token.expiresAt <= nowSeconds()) throw new PlutoError('refreshTokenExpired');
  }

  private async rotate(tokenHash: string, request: RefreshRequest): Promise<Rotation> {
    try {
      return await this.transactions.run((manager) => this.rotateWithin(manager, tokenHash, request));
    } catch (error) {
      // The session was ended by someone else while its successor was being stored.
      if (isForeignKeyViolation(error)) throw new PlutoError('invalidRefreshToken', { cause: error });
      throw error;
    }
  }

  private async rotateWithin(
    manager: EntityManager,
    tokenHash: string,
    request: RefreshRequest,
  ): Promise<Rotation> {
    const now = nowSeconds();
    const { affected } = await manager.update(RefreshToken, { tokenHash, usedAt: IsNull() }, { usedAt: now });
    const isFirstUse = affected === 1;
    const token = await manager.findOneBy(RefreshToken, { tokenHash });
    const session = token && (await this.sessions.find(token.sessionId, manager));
    if (!session) throw new PlutoError('invalidRefreshToken');

    const place = { sessionId: session.id, generation: token.generation + 1 };
    const successor = isFirstUse
      ? await this.issuer.store(manager, this.issuer.successorOf(request.refreshToken), place)
      : await manager.findOneBy(RefreshToken, place);
    if (!successor) throw new PlutoError('invalidRefreshToken');
    const isGraceOver = now > (token.usedAt ?? now) + this.settings.refreshTokenGraceSeconds;
    if ('usedAt' in successor && successor.usedAt !== null && isGraceOver) {
      const { userId, applicationId } = session;
      const event = {
        type: 'refresh.reused',
        applicationId,
        userId,
        detail: { session: session.id },
      } as const;
      if (await this.sessions.end(manager, session.id)) await this.events.publish(manager, event);
      return { outcome: 'stolen', session };
    }

    const scopes = await this.scopesFor(manager, session, request);
    await manager.update(Session, { id: session.id }, { lastUsedAt: now, scopes });
    return { outcome: 'rotated', session, scopes, refreshTokenExpiresAt: successor.expiresAt };
  }

  private scopesFor(manager: EntityManager, session: Session, request: RefreshRequest): Promise<string[]> {
    const asked = parseScopes(request.scopes);
    return this.grants.scopesFor(
      {
        userId: session.userId,
        applicationId: session.applicationId,
        requested: asked.length > 0 ? asked : session.scopes,
        ...(session.grantedScopes !== null && { ceiling: session.grantedScopes }),
      },
      manager,
    );
  }

  private theft({ id, userId, applicationId }: Session): PlutoError {
    this.logger.warn({
      msg: 'a used refresh token was shown again: session ended',
      sessionId: id,
      userId,
      applicationId,
    });
    return new PlutoError('invalidRefreshToken');
  }
}
