import '@fastify/cookie';
import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Settings } from '../../../config/settings.js';
import { STATE_TTL_SECONDS, WECHAT_WEB_PATH } from './wechat-web-login.service.js';

const NAME = 'pluto_wechat_web';
const SECRET = /^[\w-]{43}$/;

/** Recognises the browser that started a sign-in through the API. The cookie does not sign anybody in. */
@Injectable()
export class WechatBrowsers {
  private readonly isSecure: boolean;
  private readonly cookieName: string;
  private readonly path: string;

  constructor({ publicUrl, publicPath }: Settings) {
    this.isSecure = publicUrl.startsWith('https:');
    this.cookieName = this.isSecure ? `__Secure-${NAME}` : NAME;
    this.path = `${publicPath}/${WECHAT_WEB_PATH}`;
  }

  /** The secret of the browser; `''` for none. Sign-ins in several tabs share it. */
  secretOf({ cookies }: FastifyRequest): string {
    const kept = cookies[this.cookieName] ?? '';
    return SECRET.test(kept) ? kept : '';
  }

  keep(reply: FastifyReply, secret: string): void {
    void reply.setCookie(this.cookieName, secret, {
      path: this.path,
      httpOnly: true,
      sameSite: 'lax',
      secure: this.isSecure,
      maxAge: STATE_TTL_SECONDS,
    });
  }
}
