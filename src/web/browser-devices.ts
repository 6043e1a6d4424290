import '@fastify/cookie';
import { Injectable } from '@nestjs/common';
import { randomToken } from '../common/crypto.js';
import { Settings } from '../config/settings.js';
import type { Exchange } from './page.js';

const COOKIE = 'pluto_device';
const YEAR_SECONDS = 365 * 86_400;

/** Recognises a browser after it has signed out. The cookie does not sign anybody in. */
@Injectable()
export class BrowserDevices {
  private readonly isSecure: boolean;
  private readonly path: string;

  constructor({ publicUrl, publicPath }: Settings) {
    this.path = `${publicPath}/web`;
    this.isSecure = publicUrl.startsWith('https:');
  }

  /** The secret of the browser, or a new one, which `keep` stores in its cookie. */
  secretOf({ request }: Exchange): string {
    const kept = request.cookies[COOKIE] ?? '';
    return /^[\w-]{43}$/.test(kept) ? kept : randomToken();
  }

  keep({ reply }: Exchange, secret: string): void {
    void reply.setCookie(COOKIE, secret, {
      path: this.path,
      httpOnly: true,
      sameSite: 'lax',
      secure: this.isSecure,
      maxAge: YEAR_SECONDS,
    });
  }
}
