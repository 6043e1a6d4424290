import { Injectable } from '@nestjs/common';
import { DataSource, IsNull, LessThanOrEqual, MoreThan, Not, Or, type EntityManager } from 'typeorm';
import { hmac, seal, unseal } from '../../../common/crypto.js';
import { nowSeconds } from '../../../common/time.js';
import { SecretKey } from '../../../config/secret-key.js';
import { isForeignKeyViolation, isUniqueViolation } from '../../../database/constraints.js';
import { RetryTransaction } from '../../../database/transactions.js';
import type { Identity } from '../../../users/identity.entity.js';
import { AppleGrant } from './apple-grant.entity.js';

/** A grant that this process has claimed for revocation. */
export interface DueGrant {
  id: number;
  applicationId: number;
  clientId: string;
  subjectHash: string;
  refreshToken: string;
  attempts: number;
}

/** Between attempts, each longer than an attempt can take; after these every hour without limit. */
const PAUSES_SECONDS = [15, 60, 300, 900];
const LAST_PAUSE_SECONDS = 3600;
const BATCH = 10;
const ERROR_MAX = 255;

/** Stores Apple's refresh tokens until they are revoked at Apple. */
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
   * Stores the newest token of the identity for the client: revoking it ends the whole authorization.
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
   * Claims the grant whose revocation is due longest. The claim moves its next attempt into the future, so
   * that no other instance claims it and it becomes due again if this process dies. `settle` it before then.
   */
  async takeDue(): Promise<DueGrant | null> {
    const now = nowSeconds();
    const due = await this.dataSource.manager.find(AppleGrant, {
      where: {
        identityId: IsNull(),
        // Later than any pause allows: the clock was set back since.
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
   * Whether the person has consented again, or has an account of another application by the same client:
   * revoking ends their whole authorization for the client. A consent given during the request to Apple is
   * not seen.
   */
  isInUse({ clientId, subjectHash }: DueGrant): Promise<boolean> {
    return this.dataSource.manager.existsBy(AppleGrant, { clientId, subjectHash, identityId: Not(IsNull()) });
  }

  /** Deletes a grant that is revoked or need not be. */
  async settle({ id }: DueGrant): Promise<void> {
    await this.dataSource.manager.delete(AppleGrant, { id });
  }

  async noteFailure(id: number, reason: string): Promise<void> {
    await this.dataSource.manager.update(AppleGrant, { id }, { lastError: reason.slice(0, ERROR_MAX) });
  }

  /** Grants whose revocation Apple has not acknowledged yet, oldest first. */
  listUnrevoked(): Promise<AppleGrant[]> {
    return this.dataSource.manager.find(AppleGrant, {
      where: { identityId: IsNull() },
      order: { id: 'ASC' },
    });
  }

  countUnrevoked(): Promise<number> {
    return this.dataSource.manager.countBy(AppleGrant, { identityId: IsNull() });
  }

  /** Gives up revoking. @returns whether the grant existed */
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
