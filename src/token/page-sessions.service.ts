import { Injectable } from '@nestjs/common';
import { DataSource, LessThanOrEqual, MoreThan, type EntityManager } from 'typeorm';
import { randomToken, sha256 } from '../common/crypto.js';
import { nowSeconds } from '../common/time.js';
import { Settings } from '../config/settings.js';
import { Purge } from '../database/jobs/purge.js';
import { PageSession } from './page-session.entity.js';

export type NewPageSession = Pick<PageSession, 'userId' | 'applicationId' | 'signedInBy'> &
  Partial<Pick<PageSession, 'address' | 'userAgent'>>;

/** Manages the sessions of browsers on the hosted pages. */
@Injectable()
export class PageSessionsService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly settings: Settings,
    private readonly purge: Purge,
  ) {}

  /**
   * @param replaced token of the browser's previous session, which ends; `''` for none
   * @returns the token for the browser's cookie; only its hash is stored
   */
  async open(manager: EntityManager, session: NewPageSession, replaced = ''): Promise<string> {
    await manager.delete(PageSession, { tokenHash: sha256(replaced) });
    const token = randomToken();
    const now = nowSeconds();
    await manager.insert(PageSession, {
      tokenHash: sha256(token),
      ...session,
      createdAt: now,
      expiresAt: now + this.settings.pageSessionTtlSeconds,
    });
    return token;
  }

  /** @returns null for an unknown or expired token, or one of another kind */
  async find(token: string): Promise<PageSession | null> {
    const session = await this.dataSource.manager.findOneBy(PageSession, { tokenHash: sha256(token) });
    return session && session.expiresAt > nowSeconds() ? session : null;
  }

  /** Locks a session until the end of the transaction. @returns whether it exists */
  async lock(manager: EntityManager, { id, userId }: PageSession): Promise<boolean> {
    const { affected } = await manager.update(PageSession, { id }, { userId });
    return affected === 1;
  }

  /** Those of an account that have not expired, newest first. */
  findOf(userId: number, { now, limit }: { now: number; limit: number }): Promise<PageSession[]> {
    return this.dataSource.manager.find(PageSession, {
      where: { userId, expiresAt: MoreThan(now) },
      order: { createdAt: 'DESC', id: 'DESC' },
      take: limit,
    });
  }

  /** @returns whether the account had that session */
  async endOf(manager: EntityManager, userId: number, id: number): Promise<boolean> {
    const { affected } = await manager.delete(PageSession, { id, userId });
    return affected === 1;
  }

  async end(token: string): Promise<void> {
    await this.dataSource.manager.delete(PageSession, { tokenHash: sha256(token) });
  }

  async purgeExpired(signal: AbortSignal): Promise<void> {
    const where = { expiresAt: LessThanOrEqual(nowSeconds()) };
    await this.purge.where(PageSession, { where, order: { expiresAt: 'ASC' } }, signal);
  }
}
