import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { sha256 } from '../common/crypto.js';
import { nowSeconds } from '../common/time.js';
import { BatchedRead } from '../database/batched-read.js';
import { PlutoDataSource } from '../database/pluto-data-source.js';
import type { SqlStatement } from '../database/sql-statement.js';
import type { RoleScopes } from '../rbac/effective-scopes.js';
import { HELD_ROLE_COLUMNS, joinHeldRole, toRoleScopes, type HeldRoleRow } from '../rbac/held-role.js';
import { RefreshToken } from './refresh-token.entity.js';
import { LATE_RUN_MAX, type UsedGeneration } from './replay-rule.js';
import type { Session } from './session.entity.js';

/** A presented refresh token with its session. */
export interface ShownToken {
  sessionId: string;
  generation: number;
  /** Seconds since the epoch. */
  expiresAt: number;
  session: Pick<
    Session,
    'userId' | 'applicationId' | 'clientKey' | 'deviceId' | 'createdAt' | 'scopes' | 'grantedScopes'
  >;
  application: { name: string; nameKey: string };
  /** The account's role in the application; null: none. */
  role: RoleScopes | null;
}

interface ShownRow
  extends HeldRoleRow, Pick<Session, 'userId' | 'applicationId' | 'clientKey' | 'deviceId' | 'createdAt'> {
  tokenHash: string;
  sessionId: string;
  generation: number;
  expiresAt: number;
  scopes: string;
  grantedScopes: string | null;
  name: string;
  nameKey: string;
}

/** A used token; times in seconds since the epoch. */
export interface UsedToken {
  successor: { expiresAt: number; usedAt: number | null };
  /** The token's generation, then those before it, newest first. */
  generations: UsedGeneration[];
}

interface GenerationRow {
  generation: number;
  expiresAt: number;
  usedAt: number | null;
  replayedAt: number | null;
}

// Plain SQL, since refreshes are frequent. CROSS JOIN fixes the join order in SQLite, which might otherwise
// start with all sessions of the applications.
const findShown = (hashes: string) => `
  SELECT t.token_hash AS tokenHash, t.session_id AS sessionId, t.generation, t.expires_at AS expiresAt, s.user_id AS userId,
    s.application_id AS applicationId, s.client_key AS clientKey,
    s.device_id AS deviceId, s.created_at AS createdAt, s.scopes, s.granted_scopes AS grantedScopes,
    a.name, a.name_key AS nameKey, ${HELD_ROLE_COLUMNS}
  FROM refresh_tokens t
  CROSS JOIN sessions s ON s.id = t.session_id
  CROSS JOIN applications a ON a.id = s.application_id
  ${joinHeldRole('s.user_id')}
  WHERE t.token_hash IN (${hashes})`;
const FIND_ONE_SHOWN = findShown('?');
const FIND_GENERATIONS = `
  SELECT generation, expires_at AS expiresAt, used_at AS usedAt, replayed_at AS replayedAt
  FROM refresh_tokens
  WHERE session_id = ? AND generation BETWEEN ? AND ?
  ORDER BY generation DESC`;
const USE = 'UPDATE refresh_tokens SET used_at = ? WHERE token_hash = ? AND used_at IS NULL';
const ADD = `
  INSERT INTO refresh_tokens (session_id, generation, token_hash, created_at, expires_at)
  VALUES (?, ?, ?, ?, ?)`;

/** Stores and finds refresh tokens by their hashes. */
@Injectable()
export class RefreshTokensService {
  private readonly shown: BatchedRead<string, ShownRow>;

  constructor(dataSource: PlutoDataSource) {
    this.shown = new BatchedRead(dataSource, { sql: findShown, keyOf: ({ tokenHash }) => tokenHash });
  }

  /** @returns null if the token is unknown or its session has ended */
  async find(tokenHash: string, manager?: EntityManager): Promise<ShownToken | null> {
    const rows = manager
      ? await manager.query<ShownRow[]>(FIND_ONE_SHOWN, [tokenHash])
      : await this.shown.find(tokenHash);
    const [row] = rows;
    if (!row) return null;
    return {
      sessionId: row.sessionId,
      generation: row.generation,
      expiresAt: row.expiresAt,
      session: {
        userId: row.userId,
        applicationId: row.applicationId,
        clientKey: row.clientKey,
        deviceId: row.deviceId,
        createdAt: row.createdAt,
        scopes: JSON.parse(row.scopes) as string[],
        grantedScopes: row.grantedScopes === null ? null : (JSON.parse(row.grantedScopes) as string[]),
      },
      application: { name: row.name, nameKey: row.nameKey },
      role: toRoleScopes(rows),
    };
  }

  /** Marks an unused token as used. */
  use(tokenHash: string): SqlStatement {
    return { sql: USE, parameters: [nowSeconds(), tokenHash] };
  }

  /** A used token with its successor and the generations before it; null if one of both is deleted. */
  async findUsed(manager: EntityManager, { sessionId, generation }: ShownToken): Promise<UsedToken | null> {
    const range = [generation - LATE_RUN_MAX, generation + 1];
    const rows = await manager.query<GenerationRow[]>(FIND_GENERATIONS, [sessionId, ...range]);
    const [successor, ...before] = rows;
    if (successor?.generation !== generation + 1 || before[0]?.generation !== generation) return null;
    const generations = before.flatMap(({ usedAt, replayedAt }) =>
      usedAt === null ? [] : [{ usedAt, replayedAt }],
    );
    return { successor, generations };
  }

  /** Notes that a used token was exchanged again after the grace period. */
  async noteReplay(manager: EntityManager, { sessionId, generation }: ShownToken): Promise<void> {
    await manager.update(RefreshToken, { sessionId, generation }, { replayedAt: nowSeconds() });
  }

  /** Stores a token as a generation of a session, starting at 1. @param expiresAt seconds since the epoch */
  add(
    token: string,
    { sessionId, generation, expiresAt }: { sessionId: string; generation: number; expiresAt: number },
  ): SqlStatement {
    return { sql: ADD, parameters: [sessionId, generation, sha256(token), nowSeconds(), expiresAt] };
  }
}
