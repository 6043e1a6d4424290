import { Injectable } from '@nestjs/common';
import { DataSource, IsNull, LessThanOrEqual, MoreThan, Not, Or, type EntityManager } from 'typeorm';
import { hmac, seal, unseal } from '../../../common/crypto.js';
import { nowSeconds } from '../../../common/time.js';
import { SecretKey } from '../../../config/secret-key.js';
import { isForeignKeyViolation, isUniqueViolation } from '../../../database/constraints.js';
import { RetryTransaction } from '../../../database/transactions.js';
import type { Identity } from '../../../users/identity.entity.js';
import { AppleGrant } from './apple-grant.entity.js';

/** A grant that this process is to revoke now. */
export interface DueGrant {
  id: number;
  applicationId: number;
  clientId: string;
  subjectHash: string;
  refreshToken: string;
  attempts: number;
}

/** From one attempt to the next, longer than an attempt can take; then every hour, for as long as it takes. */
const PAUSES_SECONDS = [15, 60, 300, 900];
const LAST_PAUSE_SECONDS = 3600;
const BATCH = 10;
const ERROR_MAX = 255;

/** Keeps the consents that Apple has given out, until they are revoked there. */
@Injectable()
export class AppleGrantsService {
  private readonly sealingKey: Buffer;

  constructor(
    private readonly dataSource: DataSource,
    secretKey: SecretKey,
  ) {
    this.sealingKey = secretKey.derive('apple-grants');
  }

  /**
   * Keeps the newest token of the identity for the client: revoking it ends what the earlier ones stand for, too.
   */
  async keep(
    manager: EntityManager,
    { id: identityId, applicationId, subjectKey }: Identity,
    { clientId, refreshToken }: { clientId: string; refreshToken: string },
  ): Promise<void> {
    const subjectHash = hmac(this.sealingKey, subjectKey);
    const sealedRefreshToken = seal(this.sealingKey, sealContext({ applicationId, clientId }), refreshToken);
    const { affected } = await manager.update(AppleGrant, { identityId, clientId }, { sealedRefreshToken });
    if (affected === 1) return;
    const now = nowSeconds();
    try {
      await manager.insert(AppleGrant, {
        applicationId,
        identityId,
        clientId,
        subjectHash,
        sealedRefreshToken,
        nextAttemptAt: now,
        createdAt: now,
      });
    } catch (error) {
      if (isUniqueViolation(error) || isForeignKeyViolation(error)) throw new RetryTransaction();
      throw error;
    }
  }

  /**
   * Takes the grant that is to be revoked and due longest. Whoever takes it has until the next attempt to `settle` it;
   * that it is postponed first is what keeps two instances apart, and what brings it back if this one dies.
   */
  async takeDue(): Promise<DueGrant | null> {
    const now = nowSeconds();
    const due = await this.dataSource.manager.find(AppleGrant, {
      where: {
        identityId: IsNull(),
        // A later one than there can be was set before the clock was set back.
        nextAttemptAt: Or(LessThanOrEqual(now), MoreThan(now + LAST_PAUSE_SECONDS)),
      },
      order: { nextAttemptAt: 'ASC', id: 'ASC' },
      take: BATCH,
    });
    for (const grant of due) {
      const { affected } = await this.dataSource.manager.update(
        AppleGrant,
        { id: grant.id, attempts: grant.attempts },
        {
          attempts: grant.attempts + 1,
          nextAttemptAt: now + (PAUSES_SECONDS[grant.attempts] ?? LAST_PAUSE_SECONDS),
        },
      );
      if (affected === 1) return this.open(grant);
    }
    return null;
  }

  /**
   * Whether the person has consented anew, or has an account of another application by the same client: revoking ends
   * their whole authorization for the client. Not seen is a consent that is given while Apple is being asked.
   */
  isInUse({ clientId, subjectHash }: DueGrant): Promise<boolean> {
    return this.dataSource.manager.existsBy(AppleGrant, { clientId, subjectHash, identityId: Not(IsNull()) });
  }

  /** Forgets a grant that is revoked, or need not be. */
  async settle({ id }: DueGrant): Promise<void> {
    await this.dataSource.manager.delete(AppleGrant, { id });
  }

  async noteFailure(id: number, reason: string): Promise<void> {
    await this.dataSource.manager.update(AppleGrant, { id }, { lastError: reason.slice(0, ERROR_MAX) });
  }

  /** Those that Apple has not acknowledged yet, oldest first. */
  listUnrevoked(): Promise<AppleGrant[]> {
    return this.dataSource.manager.find(AppleGrant, {
      where: { identityId: IsNull() },
      order: { id: 'ASC' },
    });
  }

  countUnrevoked(): Promise<number> {
    return this.dataSource.manager.countBy(AppleGrant, { identityId: IsNull() });
  }

  /** Gives up revoking. @returns whether there was such a grant */
  async drop(id: number): Promise<boolean> {
    const { affected } = await this.dataSource.manager.delete(AppleGrant, { id, identityId: IsNull() });
    return affected === 1;
  }

  private async open(grant: AppleGrant): Promise<DueGrant> {
    const { id, applicationId, clientId, subjectHash, attempts } = grant;
    try {
      const refreshToken = unseal(this.sealingKey, sealContext(grant), grant.sealedRefreshToken);
      return { id, applicationId, clientId, subjectHash, refreshToken, attempts: attempts + 1 };
    } catch (error) {
      await this.noteFailure(id, 'the token cannot be decrypted');
      throw error;
    }
  }
}

function sealContext({ applicationId, clientId }: Pick<AppleGrant, 'applicationId' | 'clientId'>): string {
  return `${applicationId}:${clientId}`;
}
