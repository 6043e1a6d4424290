import { Injectable } from '@nestjs/common';
import { DataSource, IsNull, LessThanOrEqual, type EntityManager } from 'typeorm';
import { randomToken, sha256 } from '../../common/crypto.js';
import { nowSeconds } from '../../common/time.js';
import { Purge } from '../../database/jobs/purge.js';
import { OneTimeToken, type OneTimeTokenKind } from './one-time-token.entity.js';

/** Tokens of mailed links; stored as hashes and consumed by one conditional update. */
@Injectable()
export class OneTimeTokensService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly purge: Purge,
  ) {}

  /** @returns the token for the link; only its hash is stored */
  async issue(
    manager: EntityManager,
    { kind, identityId, expiresAt }: { kind: OneTimeTokenKind; identityId: number; expiresAt: number },
  ): Promise<string> {
    const token = randomToken();
    await manager.insert(OneTimeToken, {
      kind,
      identityId,
      tokenHash: sha256(token),
      createdAt: nowSeconds(),
      expiresAt,
      usedAt: null,
    });
    return token;
  }

  /** Finds a link that has not expired, used or not. */
  async find(
    kind: OneTimeTokenKind,
    token: string,
    manager: EntityManager = this.dataSource.manager,
  ): Promise<OneTimeToken | null> {
    const found = await manager.findOneBy(OneTimeToken, { kind, tokenHash: sha256(token) });
    return found && found.expiresAt > nowSeconds() ? found : null;
  }

  /** @returns whether this call consumed it */
  async consume(manager: EntityManager, { id }: OneTimeToken): Promise<boolean> {
    const { affected } = await manager.update(
      OneTimeToken,
      { id, usedAt: IsNull() },
      { usedAt: nowSeconds() },
    );
    return affected === 1;
  }

  /** Invalidates every unused link to that mail; used ones stay, to be recognised. */
  async revokeAll(manager: EntityManager, identityId: number): Promise<void> {
    await manager.delete(OneTimeToken, { identityId, usedAt: IsNull() });
  }

  async purgeExpired(signal: AbortSignal): Promise<void> {
    const where = { expiresAt: LessThanOrEqual(nowSeconds()) };
    await this.purge.where(OneTimeToken, { where, order: { expiresAt: 'ASC' } }, signal);
  }
}
