import '@fastify/cookie';
import { Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Settings } from '../config/settings.js';
import type { PageSession } from '../token/page-session.entity.js';
import { PageSessionsService } from '../token/page-sessions.service.js';
import { AccountsService } from '../users/accounts.service.js';
import type { User } from '../users/user.entity.js';
import type { Exchange } from './page.js';

/** Named by the wire contract; it holds a page session, not an access token. */
const COOKIE = 'access_token';

/** A browser's session and its account. */
export interface SignedIn {
  user: User;
  session: PageSession;
}

/** Finds and changes a browser's session on the hosted pages. */
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

  /** The browser's session for the application; null for a session of another application. */
  async findFor(exchange: Exchange, applicationId: number): Promise<SignedIn | null> {
    const session = await this.pageSessions.find(this.tokenOf(exchange));
    if (session?.applicationId !== applicationId) return null;
    const user = await this.accounts.find(session.userId);
    return user && { user, session };
  }

  /** The token in the browser's cookie; `''` for none. */
  tokenOf({ request }: Exchange): string {
    return request.cookies[COOKIE] ?? '';
  }

  signIn({ reply }: Exchange, token: string): void {
    this.set(reply, token, this.settings.pageSessionTtlSeconds);
  }

  async signOut(exchange: Exchange): Promise<void> {
    await this.pageSessions.end(this.tokenOf(exchange));
    this.set(exchange.reply, '', 0);
  }

  private set(reply: FastifyReply, value: string, maxAge: number): void {
    const [secure, path] = [this.isSecure, `${this.settings.publicPath}/web`];
    void reply.setCookie(COOKIE, value, { path, httpOnly: true, sameSite: 'lax', secure, maxAge });
  }
}
