import { Injectable, Logger } from '@nestjs/common';
import { DataSource, IsNull, LessThanOrEqual, Not, type EntityManager } from 'typeorm';
import { randomToken, sha256 } from '../common/crypto.js';
import type { RequestContext } from '../common/request-context.js';
import { nowSeconds } from '../common/time.js';
import { Settings } from '../config/settings.js';
import { Purge } from '../database/jobs/purge.js';
import { Transactions } from '../database/transactions.js';
import { SessionsService } from '../token/sessions.service.js';
import { AuthorizationCode } from './authorization-code.entity.js';

export type NewCode = Pick<
  AuthorizationCode,
  | 'clientId'
  | 'userId'
  | 'pageSessionId'
  | 'signedInBy'
  | 'authenticatedAt'
  | 'applicationId'
  | 'redirectUri'
  | 'scopes'
  | 'codeChallenge'
  | 'accessTokenTtlSeconds'
>;

/** How long codes are kept after they expire, to detect reuse. */
const RETENTION_SECONDS = 24 * 60 * 60;

/** Authorization codes: stored as hashes, consumed by one conditional update. */
@Injectable()
export class AuthorizationCodesService {
  private readonly logger = new Logger('OAuth');

  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly sessions: SessionsService,
    private readonly settings: Settings,
    private readonly purge: Purge,
  ) {}

  /** @returns the code for the client; only its hash is stored */
  async issue(manager: EntityManager, grant: NewCode): Promise<string> {
    const code = randomToken();
    const now = nowSeconds();
    await manager.insert(AuthorizationCode, {
      ...grant,
      codeHash: sha256(code),
      sessionId: null,
      createdAt: now,
      expiresAt: now + this.settings.authorizationCodeTtlSeconds,
      usedAt: null,
    });
    return code;
  }

  /** Finds a code, used or not, expired or not. */
  find(code: string): Promise<AuthorizationCode | null> {
    return this.dataSource.manager.findOneBy(AuthorizationCode, { codeHash: sha256(code) });
  }

  /** @returns whether this call consumed it */
  async consume(manager: EntityManager, { id }: AuthorizationCode): Promise<boolean> {
    const change = { usedAt: nowSeconds() };
    const unused = { id, usedAt: IsNull(), pageSessionId: Not(IsNull()) };
    const { affected } = await manager.update(AuthorizationCode, unused, change);
    return affected === 1;
  }

  /** Records the session that the code was exchanged for. */
  async noteSession(manager: EntityManager, { id }: AuthorizationCode, sessionId: string): Promise<void> {
    await manager.update(AuthorizationCode, { id }, { sessionId });
  }

  /**
   * Ends the session that a code was exchanged for, because the code was used again.
   * @see RFC 6749 section 4.1.2
   */
  async revokeIssued({ id }: AuthorizationCode, { requestId }: RequestContext): Promise<void> {
    const isEnded = await this.transactions.run(async (manager) => {
      const code = await manager.findOneBy(AuthorizationCode, { id });
      return code?.sessionId ? this.sessions.end(manager, code.sessionId) : false;
    });
    if (isEnded)
      this.logger.warn({
        msg: 'authorization code was used again: session ended',
        requestId,
        codeId: id,
      });
  }

  async purgeExpired(signal: AbortSignal): Promise<void> {
    const where = { expiresAt: LessThanOrEqual(nowSeconds() - RETENTION_SECONDS) };
    await this.purge.where(AuthorizationCode, { where, order: { expiresAt: 'ASC' } }, signal);
  }
}
