import '@fastify/cookie';
import { Tokens } from '@fastify/csrf';
import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PlutoError } from '../common/errors.js';
import { pathOf } from '../common/http/requests.js';
import { Settings } from '../config/settings.js';

/**
 * Ties a form to the browser that it was rendered for: the browser has a secret in a cookie, the form a token
 * derived from it.
 */
@Injectable()
export class CsrfService {
  private readonly tokens = new Tokens({ userInfo: true });
  private readonly isSecure: boolean;
  private readonly cookieName: string;
  private readonly path: string;

  constructor(settings: Settings) {
    this.isSecure = settings.publicUrl.startsWith('https:');
    this.path = `${settings.publicPath}/`;
    // RFC 6265bis section 4.1.3: `__Host-` is for the path `/` only.
    const prefix = this.path === '/' ? '__Host-' : '__Secure-';
    this.cookieName = this.isSecure ? `${prefix}pluto_csrf` : 'pluto_csrf';
  }

  /**
   * Creates the token for a form, and the browser's secret if it has none.
   * @param purpose the path that the form posts to, plus anything that must not change before it is posted
   */
  issue(request: FastifyRequest, reply: FastifyReply, purpose: string): string {
    const known = request.cookies[this.cookieName] ?? '';
    const secret = known === '' ? this.tokens.secretSync() : known;
    if (known === '') {
      // A second form on the same page must use the same secret.
      request.cookies[this.cookieName] = secret;
      void reply.setCookie(this.cookieName, secret, {
        path: this.path,
        httpOnly: true,
        sameSite: 'lax',
        secure: this.isSecure,
      });
    }
    return this.tokens.create(secret, purpose);
  }

  /** @throws PlutoError forbidden, if the form was not rendered for this browser */
  assertFrom(request: FastifyRequest, purpose = pathOf(request.url)): void {
    const secret = request.cookies[this.cookieName];
    const token = (request.body as { _csrf?: unknown } | null | undefined)?._csrf;
    if (!secret || typeof token !== 'string' || !this.tokens.verify(secret, token, purpose)) {
      throw new PlutoError('forbidden', {
        message: 'Operation Forbidden: the form has expired',
        page: 'csrf',
      });
    }
  }
}
