import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, LessThanOrEqual, type EntityManager } from 'typeorm';
import { nowSeconds } from '../common/time.js';
import { RefreshToken } from './refresh-token.entity.js';
import { Session } from './session.entity.js';

export type NewSession = Pick<
  Session,
  'userId' | 'applicationId' | 'clientKey' | 'deviceId' | 'address' | 'userAgent' | 'scopes'
>;

/** Keeps the logins that are good. A session that has ended is gone, with its refresh tokens. */
@Injectable()
export class SessionsService {
  constructor(private readonly dataSource: DataSource) {}

  async add(manager: EntityManager, session: NewSession): Promise<Session> {
    const now = nowSeconds();
    const row = manager.create(Session, {
      ...session,
      id: randomBytes(16).toString('base64url'),
      createdAt: now,
      lastUsedAt: now,
    });
    await manager.insert(Session, row);
    return row;
  }

  find(id: string, manager: EntityManager = this.dataSource.manager): Promise<Session | null> {
    return manager.findOneBy(Session, { id });
  }

  async end(manager: EntityManager, id: string): Promise<void> {
    await manager.delete(Session, { id });
  }

  /** Ends every session of the account; their access tokens are refused from now on. */
  async endAllOf(manager: EntityManager, userId: number): Promise<void> {
    await manager.delete(Session, { userId });
  }

  /** Deletes sessions whose refresh tokens have all expired, and the expired tokens of the others. */
  async purgeExpired(): Promise<void> {
    const now = nowSeconds();
    await this.dataSource
      .createQueryBuilder()
      .delete()
      .from(Session)
      .where(
        `NOT EXISTS (SELECT 1 FROM refresh_tokens t WHERE t.session_id = sessions.id AND t.expires_at > :now)`,
        { now },
      )
      .execute();
    await this.dataSource.manager.delete(RefreshToken, { expiresAt: LessThanOrEqual(now) });
  }
}
