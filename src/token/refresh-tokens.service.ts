import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { sha256 } from '../common/crypto.js';
import { nowSeconds } from '../common/time.js';
import { BatchedRead } from '../database/batched-read.js';
import { PlutoDataSource } from '../database/pluto-data-source.js';
import type { SqlStatement } from '../database/sql-statement.js';
import type { RoleScopes } from '../rbac/effective-scopes.js';
import { HELD_ROLE_COLUMNS, joinHeldRole, toRoleScopes, type HeldRoleRow } from '../rbac/held-role.js';
import type { Session } from './session.entity.js';

/** A presented refresh token with its session. */
export interface ShownToken {
  sessionId: string;
  generation: number;
  /** Seconds since the epoch. */
  expiresAt: number;
  session: Pick<Session, 'userId' | 'applicationId' | 'clientKey' | 'scopes' | 'grantedScopes'>;
  application: { name: string; nameKey: string };
  /** The account's role in the application; null: none. */
  role: RoleScopes | null;
}

interface ShownRow extends HeldRoleRow, Pick<Session, 'userId' | 'applicationId' | 'clientKey'> {
  tokenHash: string;
  sessionId: string;
  generation: number;
  expiresAt: number;
  scopes: string;
  grantedScopes: string | null;
  name: string;
  nameKey: string;
}

/** Times in seconds since the epoch. */
export interface UsedToken {
  usedAt: number;
  successor: { expiresAt: number; usedAt: number | null };
}

interface UsedRow {
  usedAt: number;
  expiresAt: number;
  successorUsedAt: number | null;
}

// Plain SQL, since refreshes are frequent. CROSS JOIN fixes the join order in SQLite, which might otherwise
// start with all sessions of the applications.
const findShown = (hashes: string) => `
  SELECT t.token_hash AS tokenHash, t.session_id AS sessionId, t.generation, t.expires_at AS expiresAt, s.user_id AS userId,
    s.application_id AS applicationId, s.client_key AS clientKey, s.scopes, s.granted_scopes AS grantedScopes,
    a.name, a.name_key AS nameKey, ${HELD_ROLE_COLUMNS}
  FROM refresh_tokens t
  CROSS JOIN sessions s ON s.id = t.session_id
  CROSS JOIN applications a ON a.id = s.application_id
  ${joinHeldRole('s.user_id')}
  WHERE t.token_hash IN (${hashes})`;
const FIND_ONE_SHOWN = findShown('?');
const FIND_USED = `
  SELECT t.used_at AS usedAt, n.expires_at AS expiresAt, n.used_at AS successorUsedAt
  FROM refresh_tokens t
  JOIN refresh_tokens n ON n.session_id = t.session_id AND n.generation = t.generation + 1
  WHERE t.token_hash = ?`;
const USE = 'UPDATE refresh_tokens SET used_at = ? WHERE token_hash = ? AND used_at IS NULL';
const ADD = `
  INSERT INTO refresh_tokens (session_id, generation, token_hash, created_at, expires_at, used_at)
  VALUES (?, ?, ?, ?, ?, NULL)`;

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

  /** A used token with its successor; null if either is deleted. */
  async findUsed(manager: EntityManager, tokenHash: string): Promise<UsedToken | null> {
    const [row] = await manager.query<UsedRow[]>(FIND_USED, [tokenHash]);
    if (!row) return null;
    const { usedAt, expiresAt, successorUsedAt } = row;
    return { usedAt, successor: { expiresAt, usedAt: successorUsedAt } };
  }

  /** Stores a token as a generation of a session, starting at 1. @param expiresAt seconds since the epoch */
  add(
    token: string,
    { sessionId, generation, expiresAt }: { sessionId: string; generation: number; expiresAt: number },
  ): SqlStatement {
    return { sql: ADD, parameters: [sessionId, generation, sha256(token), nowSeconds(), expiresAt] };
  }
}
