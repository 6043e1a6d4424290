import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, In, LessThanOrEqual, type EntityManager } from 'typeorm';
import { nowSeconds } from '../common/time.js';
import { PageSession } from './page-session.entity.js';
import { RefreshToken } from './refresh-token.entity.js';
import { Session } from './session.entity.js';

export type NewSession = Pick<
  Session,
  'userId' | 'applicationId' | 'clientKey' | 'deviceId' | 'address' | 'userAgent' | 'scopes' | 'grantedScopes'
>;

const PURGE_BATCH = 500;

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

  /** @returns whether it had not ended before */
  async end(manager: EntityManager, id: string): Promise<boolean> {
    const { affected } = await manager.delete(Session, { id });
    return affected === 1;
  }

  /** Ends every session of the account, those of browsers too; their access tokens are refused from now on. */
  async endAllOf(manager: EntityManager, userId: number): Promise<void> {
    await manager.delete(Session, { userId });
    await manager.delete(PageSession, { userId });
  }

  /** Ends every session that an OAuth client got. */
  async endAllOfClient(manager: EntityManager, clientKey: string): Promise<void> {
    await manager.delete(Session, { clientKey });
  }

  /**
   * Deletes sessions whose refresh tokens have all expired, and the expired tokens of the others. They are looked for
   * without locks, which would stand in the way of refreshes; a session that has expired does not come back.
   */
  async purgeExpired(): Promise<void> {
    const now = nowSeconds();
    for (;;) {
      const expired = await this.dataSource
        .createQueryBuilder(Session, 'session')
        .select('session.id')
        .leftJoin(RefreshToken, 'live', 'live.sessionId = session.id AND live.expiresAt > :now', { now })
        .where('live.id IS NULL')
        .limit(PURGE_BATCH)
        .getMany();
      if (expired.length > 0)
        await this.dataSource.manager.delete(Session, { id: In(expired.map(({ id }) => id)) });
      if (expired.length < PURGE_BATCH) break;
    }
    await this.dataSource.manager.delete(RefreshToken, { expiresAt: LessThanOrEqual(now) });
  }
}
