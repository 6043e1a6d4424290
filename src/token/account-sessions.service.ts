import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Principal } from '../common/access.js';
import { sha256 } from '../common/crypto.js';
import { PlutoError } from '../common/errors.js';
import type { RequestContext } from '../common/request-context.js';
import { nowSeconds } from '../common/time.js';
import { PlutoDataSource } from '../database/pluto-data-source.js';
import { Transactions } from '../database/transactions.js';
import { SecurityEvents } from '../events/security-events.js';
import { AccessTokensService } from './access-tokens.service.js';
import { PageSessionsService } from './page-sessions.service.js';
import { RefreshTokensService } from './refresh-tokens.service.js';
import { Session, type SignedInBy } from './session.entity.js';
import { SessionsService } from './sessions.service.js';

/** A session as its owner sees it; times in seconds since the epoch. */
export interface AccountSession {
  id: string;
  kind: 'app' | 'client' | 'page';
  deviceId: string;
  userAgent: string;
  address: string;
  /** The key of the OAuth client; `''` for none. */
  client: string;
  signedInBy: SignedInBy | '';
  createdAt: number;
  lastUsedAt: number;
}

/** What a sign-out may be asked with. */
export interface LogoutTokens {
  refreshToken?: string | undefined;
  accessToken?: string | undefined;
}

const SHOWN_MAX = 100;
/** Ids of page sessions are numbers, those of others 22 characters. */
const PAGE_SESSION = /^page-(\d{1,10})$/;

/** Lets people see and end the sessions of their account. */
@Injectable()
export class AccountSessions {
  constructor(
    private readonly dataSource: PlutoDataSource,
    private readonly transactions: Transactions,
    private readonly sessions: SessionsService,
    private readonly pageSessions: PageSessionsService,
    private readonly refreshTokens: RefreshTokensService,
    private readonly accessTokens: AccessTokensService,
    private readonly events: SecurityEvents,
  ) {}

  /** The sessions of an account that have not expired, newest use first; at most 100. */
  async list(userId: number): Promise<AccountSession[]> {
    const now = nowSeconds();
    const [sessions, pages] = await Promise.all([
      this.sessions.findOf(userId, { now, limit: SHOWN_MAX }),
      this.pageSessions.findOf(userId, { now, limit: SHOWN_MAX }),
    ]);
    const shown = [
      ...sessions.map((session) => ({ ...session, ...ofClient(session.clientKey) })),
      ...pages.map(({ id, createdAt, ...page }) => ({
        ...page,
        id: `page-${id}`,
        kind: 'page' as const,
        client: '',
        deviceId: '',
        createdAt,
        lastUsedAt: createdAt,
      })),
    ];
    return shown.sort((one, other) => other.lastUsedAt - one.lastUsedAt).slice(0, SHOWN_MAX);
  }

  /** @throws PlutoError bindNotExist if the account has no such session */
  async end({ userId, applicationId }: Principal, id: string, context: RequestContext): Promise<void> {
    const pageId = PAGE_SESSION.exec(id)?.[1];
    await this.transactions.runFor(context, async (manager) => {
      const isEnded =
        pageId === undefined
          ? await this.sessions.endOf(manager, userId, id)
          : await this.pageSessions.endOf(manager, userId, Number(pageId));
      if (!isEnded) throw new PlutoError('bindNotExist', { message: 'The account has no such session' });
      await this.publish(manager, { userId, applicationId }, id);
    });
  }

  /** Ends all but the session of the caller. @returns how many */
  async endOthers({ userId, applicationId, sessionId }: Principal, context: RequestContext): Promise<number> {
    return this.transactions.runFor(context, async (manager) => {
      const ended = await this.sessions.endOthersOf(manager, userId, sessionId);
      if (ended > 0) await this.publish(manager, { userId, applicationId }, 'others');
      return ended;
    });
  }

  /**
   * Ends the sessions of these tokens. Unknown and invalid tokens, and those of ended sessions, are ignored:
   * their holders are signed out.
   */
  async logout({ refreshToken, accessToken }: LogoutTokens, context: RequestContext): Promise<void> {
    const ids = [
      refreshToken === undefined
        ? null
        : ((await this.refreshTokens.find(sha256(refreshToken)))?.sessionId ?? null),
      accessToken === undefined ? null : await this.accessTokens.sessionOf(accessToken),
    ];
    for (const id of new Set(ids)) if (id !== null) await this.logOut(id, context);
  }

  private async logOut(id: string, context: RequestContext): Promise<void> {
    const session = await this.dataSource.manager.findOneBy(Session, { id });
    if (!session) return;
    await this.transactions.runFor(context, async (manager) => {
      if (await this.sessions.end(manager, id)) await this.publish(manager, session, id);
    });
  }

  private async publish(
    manager: EntityManager,
    { userId, applicationId }: { userId: number; applicationId: number },
    session: string,
  ): Promise<void> {
    await this.events.publish(manager, { type: 'session.ended', applicationId, userId, detail: { session } });
  }
}

function ofClient(key: string | null): Pick<AccountSession, 'kind' | 'client'> {
  return key === null ? { kind: 'app', client: '' } : { kind: 'client', client: key };
}
