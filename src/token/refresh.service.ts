import { Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { sha256 } from '../common/crypto.js';
import { PlutoError } from '../common/errors.js';
import type { RequestContext } from '../common/request-context.js';
import { nowSeconds } from '../common/time.js';
import { Settings } from '../config/settings.js';
import { CompoundStatement } from '../database/mysql/compound-statement.js';
import { isForeignKeyViolation } from '../database/constraints.js';
import { SecurityEvents } from '../events/security-events.js';
import { execute, type SqlStatement } from '../database/sql-statement.js';
import { Transactions } from '../database/transactions.js';
import { Limits } from '../limits/limits.service.js';
import { applicationKey, ApplicationsService } from '../applications/applications.service.js';
import { effectiveScopes, parseScopes } from '../rbac/effective-scopes.js';
import { judgeReplay } from './replay-rule.js';
import { RefreshTokensService, type ShownToken } from './refresh-tokens.service.js';
import { SessionsService } from './sessions.service.js';
import { TokenIssuerService, type TokenPair } from './token-issuer.service.js';

interface RefreshRequest {
  refreshToken: string;
  /** The application's name, as the client sent it. */
  applicationName: string;
  /** Requested scopes; empty keeps those of the session. */
  scopes: string | undefined;
  /** The device that the client names, if it does. */
  deviceId?: string | undefined;
  /** The requesting OAuth client; null on the first-party route. */
  clientKey: string | null;
  context: RequestContext;
}

interface Rotated {
  outcome: 'rotated';
  successor: string;
  scopes: string[];
  refreshTokenExpiresAt: number;
}

type Rotation = Rotated | { outcome: 'stolen' };

/** A valid token to be exchanged. */
interface RotationInput extends ShownToken {
  tokenHash: string;
}

/** The three conditional statements of a rotation, in order, and its result. */
interface RotationStep {
  noteRefresh: SqlStatement;
  useToken: SqlStatement;
  addSuccessor: SqlStatement;
  rotation: Rotated;
}

/** Each one that fails means that a concurrent refresh has changed the session's scopes. */
const ATTEMPTS_MAX = 20;

/** Exchanges refresh tokens for their successors. */
@Injectable()
export class RefreshService {
  private readonly logger = new Logger('Refresh');

  constructor(
    private readonly compound: CompoundStatement,
    private readonly transactions: Transactions,
    private readonly applications: ApplicationsService,
    private readonly sessions: SessionsService,
    private readonly tokens: RefreshTokensService,
    private readonly issuer: TokenIssuerService,
    private readonly limits: Limits,
    private readonly events: SecurityEvents,
    private readonly settings: Settings,
  ) {}

  /**
   * Exchanges a refresh token for its successor; only for the client that it was issued to. A repeated
   * exchange returns the same successor within the grace period, and after it as far as `judgeReplay` allows;
   * otherwise the token counts as stolen and its session ends.
   * @throws PlutoError applicationNotExist | invalidApplication | invalidRefreshToken | refreshTokenExpired |
   *   tooManyRequests
   * @see RFC 6749 section 6; RFC 9700 section 4.14
   */
  async refresh(request: RefreshRequest): Promise<TokenPair> {
    const tokenHash = sha256(request.refreshToken);
    const shown = await this.check(await this.tokens.find(tokenHash), request);
    const rotation = await this.rotate({ ...shown, tokenHash }, request);
    if (rotation.outcome === 'stolen') throw this.theft(shown, request.context);
    const { session, sessionId, application } = shown;
    return this.issuer.sign({
      userId: session.userId,
      applicationName: application.name,
      scopes: rotation.scopes,
      sessionId,
      clientKey: session.clientKey,
      sessionEndsAt: this.endOf(shown),
      refreshToken: rotation.successor,
      refreshTokenExpiresAt: rotation.refreshTokenExpiresAt,
    });
  }

  /** Refuses requests that must not consume the token. */
  private async check(shown: ShownToken | null, request: RefreshRequest): Promise<ShownToken> {
    const isOfApplication = shown?.application.nameKey === applicationKey(request.applicationName);
    // An unknown application is reported before any error of the token.
    if (!isOfApplication) await this.applications.getByName(request.applicationName);
    if (!shown || shown.session.clientKey !== request.clientKey) throw new PlutoError('invalidRefreshToken');
    await this.limits.count('refresh-session', shown.sessionId);
    if (!isOfApplication) throw new PlutoError('invalidApplication');
    if (Math.min(shown.expiresAt, this.endOf(shown)) <= nowSeconds())
      throw new PlutoError('refreshTokenExpired');
    return shown;
  }

  /** When the session ends whatever happens. */
  private endOf({ session }: ShownToken): number {
    return session.createdAt + this.settings.sessionMaxAgeSeconds;
  }

  private async rotate(input: RotationInput, request: RefreshRequest): Promise<Rotation> {
    const { tokenHash } = input;
    let current: ShownToken | null = input;
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      if (!current) throw new PlutoError('invalidRefreshToken');
      const found = { ...current, tokenHash };
      const step = this.stepOf(found, request);
      const rotation =
        (await this.rotateByCompound(step)) ?? (await this.rotateInTransaction(step, found, request));
      if (rotation) return rotation;
      current = await this.tokens.find(tokenHash);
    }
    throw new PlutoError('serviceUnavailable', { retryAfterSeconds: 1 });
  }

  /** @returns null if the database has no compound statements, or if a condition no longer holds */
  private async rotateByCompound({
    noteRefresh,
    useToken,
    addSuccessor,
    rotation,
  }: RotationStep): Promise<Rotated | null> {
    return (await this.compound.apply([noteRefresh, useToken, addSuccessor])) ? rotation : null;
  }

  /** @returns null if the session has ended or its scopes have changed since it was read */
  private async rotateInTransaction(
    step: RotationStep,
    input: RotationInput,
    request: RefreshRequest,
  ): Promise<Rotation | null> {
    try {
      return await this.transactions.runFor(request.context, (manager) =>
        this.rotateWithin(manager, step, input, request),
      );
    } catch (error) {
      // The session was ended while the successor was being stored.
      if (isForeignKeyViolation(error)) throw new PlutoError('invalidRefreshToken', { cause: error });
      throw error;
    }
  }

  private async rotateWithin(
    manager: EntityManager,
    step: RotationStep,
    input: RotationInput,
    request: RefreshRequest,
  ): Promise<Rotation | null> {
    if ((await execute(manager, step.noteRefresh)) !== 1) return null;
    if ((await execute(manager, step.useToken)) === 1) {
      await execute(manager, step.addSuccessor);
      return step.rotation;
    }
    const refreshTokenExpiresAt = await this.replay(manager, input, request);
    if (refreshTokenExpiresAt !== null) return { ...step.rotation, refreshTokenExpiresAt };
    const { sessionId, session } = input;
    const { userId, applicationId } = session;
    await this.sessions.end(manager, sessionId);
    const detail = { session: sessionId };
    await this.events.publish(manager, { type: 'refresh.reused', applicationId, userId, detail });
    return { outcome: 'stolen' };
  }

  /** @returns when the successor of a used token expires; null if the replay counts as theft */
  private async replay(
    manager: EntityManager,
    input: RotationInput,
    { deviceId }: RefreshRequest,
  ): Promise<number | null> {
    const used = await this.tokens.findUsed(manager, input);
    const usedAt = used?.generations[0]?.usedAt;
    if (!used || usedAt === undefined) throw new PlutoError('invalidRefreshToken');
    const { successor, generations } = used;
    const verdict = judgeReplay({
      sinceUse: nowSeconds() - usedAt,
      grace: this.settings.refreshTokenGraceSeconds,
      accessTokenTtl: this.settings.accessTokenTtlSeconds,
      isSuccessorUsed: successor.usedAt !== null,
      isOtherDevice: isOtherDevice(input, deviceId),
      generations,
    });
    if (verdict === 'late') await this.tokens.noteReplay(manager, input);
    return verdict === 'theft' ? null : successor.expiresAt;
  }

  private stepOf(input: RotationInput, { refreshToken, scopes: asked }: RefreshRequest): RotationStep {
    const { tokenHash, sessionId, generation, session } = input;
    const scopes = scopesFor(input, parseScopes(asked));
    const { refreshTokenTtlSeconds } = this.settings;
    const refreshTokenExpiresAt = Math.min(nowSeconds() + refreshTokenTtlSeconds, this.endOf(input));
    const successor = this.issuer.successorOf(refreshToken);
    const next = { sessionId, generation: generation + 1, expiresAt: refreshTokenExpiresAt };
    return {
      noteRefresh: this.sessions.noteRefresh(sessionId, { former: session.scopes, granted: scopes }),
      useToken: this.tokens.use(tokenHash),
      addSuccessor: this.tokens.add(successor, next),
      rotation: { outcome: 'rotated', successor, scopes, refreshTokenExpiresAt },
    };
  }

  private theft(
    { sessionId, session: { userId, applicationId } }: ShownToken,
    { requestId }: RequestContext,
  ): PlutoError {
    this.logger.warn({
      msg: 'refresh token was reused: session ended',
      requestId,
      sessionId,
      userId,
      applicationId,
    });
    return new PlutoError('invalidRefreshToken');
  }
}

function isOtherDevice({ session }: ShownToken, deviceId: string | undefined): boolean {
  return Boolean(deviceId) && session.deviceId !== '' && session.deviceId !== deviceId;
}

function scopesFor({ session, role }: ShownToken, asked: string[]): string[] {
  return effectiveScopes(asked.length > 0 ? asked : session.scopes, role, session.grantedScopes ?? undefined);
}
