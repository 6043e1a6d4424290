import '@fastify/cookie';
import { Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Settings } from '../config/settings.js';
import type { PageSession } from '../token/page-session.entity.js';
import { PageSessionsService } from '../token/page-sessions.service.js';
import { AccountsService } from '../users/accounts.service.js';
import type { User } from '../users/user.entity.js';
import type { Exchange } from './page.js';

/** Named by the wire contract; it holds a page session and no access token. */
const COOKIE = 'access_token';
const PATH = '/web';

/** A browser's session and its account. */
export interface SignedIn {
  user: User;
  session: PageSession;
}

/** Who is signed in to the hosted pages in this browser. */
@Injectable()
export class BrowserSessions {
  private readonly isSecure: boolean;

  constructor(
    private readonly pageSessions: PageSessionsService,
    private readonly accounts: AccountsService,
    private readonly settings: Settings,
  ) {
    this.isSecure = settings.publicUrl.startsWith('https:');
  }

  /** Who is signed in for the application; a session for another one is none. */
  async findFor({ request }: Exchange, applicationId: number): Promise<SignedIn | null> {
    const session = await this.find(request.cookies[COOKIE]);
    if (session?.applicationId !== applicationId) return null;
    const user = await this.accounts.find(session.userId);
    return user && { user, session };
  }

  /** Puts a new session in the place of the one that the browser had. */
  async replace({ request, reply }: Exchange, token: string): Promise<void> {
    await this.end(request.cookies[COOKIE]);
    this.set(reply, token, this.settings.pageSessionTtlSeconds);
  }

  async signOut({ request, reply }: Exchange): Promise<void> {
    await this.end(request.cookies[COOKIE]);
    this.set(reply, '', 0);
  }

  private async find(token: string | undefined): Promise<PageSession | null> {
    return token ? this.pageSessions.find(token) : null;
  }

  private async end(token: string | undefined): Promise<void> {
    if (token) await this.pageSessions.end(token);
  }

  private set(reply: FastifyReply, value: string, maxAge: number): void {
    const secure = this.isSecure;
    void reply.setCookie(COOKIE, value, { path: PATH, httpOnly: true, sameSite: 'lax', secure, maxAge });
  }
}
