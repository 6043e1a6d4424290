import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { In, IsNull, LessThanOrEqual, Not, type EntityManager } from 'typeorm';
import { nowSeconds } from '../common/time.js';
import { BatchedRead } from '../database/batched-read.js';
import { PlutoDataSource } from '../database/pluto-data-source.js';
import { Purge } from '../database/jobs/purge.js';
import type { SqlStatement } from '../database/sql-statement.js';
import type { RoleScopes } from '../rbac/effective-scopes.js';
import { HELD_ROLE_COLUMNS, joinHeldRole, toRoleScopes, type HeldRoleRow } from '../rbac/held-role.js';
import { PageSession } from './page-session.entity.js';
import { RefreshToken } from './refresh-token.entity.js';
import { Session } from './session.entity.js';

export type NewSession = Pick<
  Session,
  | 'userId'
  | 'applicationId'
  | 'clientKey'
  | 'deviceId'
  | 'address'
  | 'userAgent'
  | 'scopes'
  | 'grantedScopes'
  | 'signedInBy'
  | 'authenticatedAt'
>;

/** What a request needs of its token's session. */
export type Bearer = Pick<Session, 'userId' | 'applicationId' | 'clientKey'>;

const findBearers = (ids: string) => `
  SELECT id, user_id AS userId, application_id AS applicationId, client_key AS clientKey
  FROM sessions WHERE id IN (${ids})`;

// CROSS JOIN as in `RefreshTokensService`.
const findBearersWithRole = (ids: string) => `
  SELECT s.id, s.user_id AS userId, s.application_id AS applicationId, s.client_key AS clientKey,
    ${HELD_ROLE_COLUMNS}
  FROM sessions s
  CROSS JOIN applications a ON a.id = s.application_id
  ${joinHeldRole('s.user_id')}
  WHERE s.id IN (${ids})`;

// Plain SQL, since every login runs it.
const ADD = `
  INSERT INTO sessions (id, user_id, application_id, client_key, device_id, scopes, granted_scopes, address,
    user_agent, signed_in_by, authenticated_at, created_at, last_used_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const NOTE_REFRESH = 'UPDATE sessions SET last_used_at = ?, scopes = ? WHERE id = ? AND scopes = ?';

/** A refresh that started in time may still be storing a successor. */
const REFRESH_UNDER_WAY_SECONDS = 60;
/**
 * Reuse can be detected only while the used token is stored. It is deleted when it is both old and many
 * generations behind: by generation alone a thief could push it out with quick refreshes before the owner
 * returns, and by age alone rarely refreshed sessions would lose tokens that cost nothing to keep.
 */
const USED_RETENTION_SECONDS = 7 * 24 * 60 * 60;
const KEPT_GENERATIONS = 1000;

/** Manages sessions. An ended session is deleted together with its refresh tokens. */
@Injectable()
export class SessionsService {
  private readonly bearers: BatchedRead<string, Bearer & Pick<Session, 'id'>>;
  private readonly bearersWithRole: BatchedRead<string, Bearer & Pick<Session, 'id'> & HeldRoleRow>;

  constructor(
    private readonly dataSource: PlutoDataSource,
    private readonly purge: Purge,
  ) {
    this.bearers = new BatchedRead(dataSource, { sql: findBearers, keyOf: ({ id }) => id });
    this.bearersWithRole = new BatchedRead(dataSource, { sql: findBearersWithRole, keyOf: ({ id }) => id });
  }

  /** Stores a session. @returns its id */
  async add(manager: EntityManager, session: NewSession): Promise<string> {
    const id = randomBytes(16).toString('base64url');
    const now = nowSeconds();
    await manager.query(ADD, [
      id,
      session.userId,
      session.applicationId,
      session.clientKey,
      session.deviceId,
      JSON.stringify(session.scopes),
      session.grantedScopes && JSON.stringify(session.grantedScopes),
      session.address,
      session.userAgent,
      session.signedInBy,
      session.authenticatedAt,
      now,
      now,
    ]);
    return id;
  }

  /** Plain SQL, since every request with a token runs it. */
  async findBearer(id: string): Promise<Bearer | null> {
    const [bearer] = await this.bearers.find(id);
    return bearer ?? null;
  }

  /** As `findBearer`, with the role that the account has now; null: none. */
  async findBearerWithRole(id: string): Promise<{ bearer: Bearer; role: RoleScopes | null } | null> {
    const rows = await this.bearersWithRole.find(id);
    const [bearer] = rows;
    return bearer ? { bearer, role: toRoleScopes(rows) } : null;
  }

  /**
   * Records a refresh with its granted scopes, if the session has not ended and its scopes are still the
   * `former` ones. Also locks the session until the end of the transaction.
   * @param former the session's scopes as read before
   */
  noteRefresh(id: string, { former, granted }: { former: string[]; granted: string[] }): SqlStatement {
    const parameters = [nowSeconds(), JSON.stringify(granted), id, JSON.stringify(former)];
    return { sql: NOTE_REFRESH, parameters };
  }

  /** When the owner of the session last proved to be there; 0 if unknown. */
  async authenticatedAt(id: string): Promise<number> {
    const session = await this.dataSource.manager.findOne(Session, {
      select: { id: true, authenticatedAt: true },
      where: { id },
    });
    return session?.authenticatedAt ?? 0;
  }

  /** Records that the owner has proved to be there. @returns false if the session has ended */
  async noteAuthentication(manager: EntityManager, id: string): Promise<boolean> {
    // A row is counted only if it changes: both within a second are one.
    await manager.update(Session, { id }, { authenticatedAt: nowSeconds() });
    return manager.existsBy(Session, { id });
  }

  /**
   * Ends the account's sessions that were opened in one way, except one, and its page sessions that were, or
   * of which it is not known.
   */
  async endSignedInBy(
    manager: EntityManager,
    { userId, signedInBy }: Pick<Session, 'userId' | 'signedInBy'>,
    exceptId: string,
  ): Promise<void> {
    // Page sessions first: an exchange of a code of theirs that is under way is over then.
    await manager.delete(PageSession, { userId, signedInBy: In([signedInBy, '']) });
    await manager.delete(Session, { userId, signedInBy, id: Not(exceptId) });
  }

  /** Those of an account that have not expired, newest use first. */
  findOf(userId: number, { now, limit }: { now: number; limit: number }): Promise<Session[]> {
    return this.dataSource
      .createQueryBuilder(Session, 'session')
      .innerJoin(
        RefreshToken,
        'newest',
        'newest.sessionId = session.id AND newest.usedAt IS NULL AND newest.expiresAt > :now',
        { now },
      )
      .where('session.userId = :userId', { userId })
      .orderBy('session.lastUsedAt', 'DESC')
      .addOrderBy('session.id')
      .limit(limit)
      .getMany();
  }

  /** @returns whether the account had that session */
  async endOf(manager: EntityManager, userId: number, id: string): Promise<boolean> {
    const { affected } = await manager.delete(Session, { id, userId });
    return affected === 1;
  }

  /** Ends the account's sessions except one, including page sessions. @returns how many */
  async endOthersOf(manager: EntityManager, userId: number, exceptId: string): Promise<number> {
    const pages = await manager.delete(PageSession, { userId });
    const others = await manager.delete(Session, { userId, id: Not(exceptId) });
    return (pages.affected ?? 0) + (others.affected ?? 0);
  }

  /** @returns whether this call ended it */
  async end(manager: EntityManager, id: string): Promise<boolean> {
    const { affected } = await manager.delete(Session, { id });
    return affected === 1;
  }

  /**
   * Ends every session of the account, including page sessions; their access tokens are refused from now on.
   */
  async endAllOf(manager: EntityManager, userId: number): Promise<void> {
    await manager.delete(Session, { userId });
    await manager.delete(PageSession, { userId });
  }

  /** Ends every session of an OAuth client. */
  async endAllOfClient(manager: EntityManager, clientKey: string): Promise<void> {
    await manager.delete(Session, { clientKey });
  }

  /**
   * Deletes sessions whose newest refresh token has expired, used tokens that have expired, and old used
   * tokens of sessions that are refreshed often.
   */
  async purgeExpired(signal: AbortSignal): Promise<void> {
    const now = nowSeconds();
    const expired = LessThanOrEqual(now);
    const order = { expiresAt: 'ASC' } as const;
    const used = { where: { usedAt: Not(IsNull()), expiresAt: expired }, order };
    await this.purge.where(RefreshToken, used, signal);
    await this.purge.batches(Session, (limit) => this.findExpired(now, limit), signal);
    await this.purge.batches(RefreshToken, (limit) => this.findLeftBehind(now, limit), signal);
  }

  /** The newest token of a session is the unused one. Used tokens that have expired are already deleted. */
  private async findExpired(now: number, limit: number): Promise<string[]> {
    const tokens = await this.dataSource.manager.find(RefreshToken, {
      select: { id: true, sessionId: true, usedAt: true },
      where: { expiresAt: LessThanOrEqual(now - REFRESH_UNDER_WAY_SECONDS) },
      order: { expiresAt: 'ASC' },
      take: limit,
    });
    return tokens.filter(({ usedAt }) => usedAt === null).map(({ sessionId }) => sessionId);
  }

  private async findLeftBehind(now: number, limit: number): Promise<number[]> {
    const tokens = await this.dataSource
      .createQueryBuilder(RefreshToken, 'newest')
      .innerJoin(
        RefreshToken,
        'old',
        'old.sessionId = newest.sessionId AND old.generation <= newest.generation - :kept AND old.usedAt <= :longAgo',
      )
      .select('old.id', 'id')
      .where('newest.usedAt IS NULL AND newest.generation > :kept')
      .setParameters({ kept: KEPT_GENERATIONS, longAgo: now - USED_RETENTION_SECONDS })
      .limit(limit)
      .getRawMany<{ id: number }>();
    return tokens.map(({ id }) => Number(id));
  }
}
