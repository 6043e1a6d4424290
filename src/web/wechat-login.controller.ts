import { Controller, Get, Query } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Allow } from 'class-validator';
import { deviceIdentifiers } from '../auth/devices/device-identifiers.js';
import { WechatWebLoginService } from '../auth/providers/wechat/wechat-web-login.service.js';
import { CurrentCaller, type Caller } from '../common/caller.js';
import { randomToken } from '../common/crypto.js';
import { PlutoError } from '../common/errors.js';
import { IsHead } from '../common/http/requests.js';
import { redirect } from '../common/http/envelope.js';
import { Settings } from '../config/settings.js';
import { LimitedByAddress } from '../limits/address-limit.guard.js';
import { BrowserDevices } from './browser-devices.js';
import { BrowserSessions } from './browser-sessions.js';
import { LoginQuery } from './login.dto.js';
import { ownPage } from './next-page.js';
import { PageAddresses } from './page-addresses.js';
import { CurrentExchange, Page, textOf, type Exchange } from './page.js';
import { onward, SignInPages, WECHAT_PATH } from './sign-in-pages.js';

class WechatReturn {
  @Allow()
  code?: unknown;

  @Allow()
  state?: unknown;
}

const COOKIE = 'pluto_wechat';
/** RFC 6265bis section 5.6: browsers ignore a cookie of more than 4096 bytes. */
const NEXT_MAX = 3900;
const MAX_AGE_SECONDS = 600;

/** Signs a browser in to the hosted pages with WeChat's QR code. */
@ApiExcludeController()
@LimitedByAddress('provider-address')
@Controller('web/login/wechat')
export class WechatLoginController {
  constructor(
    private readonly logins: WechatWebLoginService,
    private readonly browsers: BrowserSessions,
    private readonly devices: BrowserDevices,
    private readonly signIn: SignInPages,
    private readonly settings: Settings,
    private readonly addresses: PageAddresses,
  ) {}

  @Get()
  @Page({ summary: 'WeChat login', description: "Go to WeChat's page with the QR code" })
  async start(@Query() query: LoginQuery, @CurrentExchange() { reply }: Exchange): Promise<string> {
    const application = await this.signIn.applicationOf(query.app_id);
    const secret = randomToken();
    const address = await this.logins.startInBrowser(application.name, secret);
    // Only the browser with this cookie can complete the sign-in.
    const next = this.addresses.ownPage(query.next);
    const kept = encodeURIComponent(next).length > NEXT_MAX ? '' : next;
    void reply.setCookie(COOKIE, `${secret}:${kept}`, {
      path: this.addresses.of(WECHAT_PATH),
      httpOnly: true,
      sameSite: 'lax',
      secure: this.settings.publicUrl.startsWith('https:'),
      maxAge: MAX_AGE_SECONDS,
    });
    return redirect(reply, address);
  }

  @Get('back')
  @Page({ summary: 'WeChat login, the way back', description: 'Sign in with what WeChat sent' })
  async finish(
    @Query() query: WechatReturn,
    @IsHead() isHead: boolean,
    @CurrentExchange() exchange: Exchange,
    @CurrentCaller() caller: Caller,
  ): Promise<string> {
    if (isHead) throw new PlutoError('methodNotAllowed');
    const kept = exchange.request.cookies[COOKIE] ?? '';
    void exchange.reply.clearCookie(COOKIE, { path: this.addresses.of(WECHAT_PATH) });
    const colon = kept.indexOf(':');
    const [secret, next] = [kept.slice(0, colon), kept.slice(colon + 1)];
    const code = textOf(query.code);
    const browser = this.devices.secretOf(exchange);
    try {
      const { pageToken, application } = await this.logins.finishInBrowser(
        textOf(query.state),
        code === '' ? undefined : code,
        {
          secret,
          replaced: this.browsers.tokenOf(exchange),
          identifiers: deviceIdentifiers(caller, { browser }),
        },
        caller,
      );
      this.browsers.signIn(exchange, pageToken);
      this.devices.keep(exchange, browser);
      return redirect(exchange.reply, this.addresses.of(onward({ application, next: ownPage(next) })));
    } catch (error) {
      if (!(error instanceof PlutoError) || error.status !== 403) throw error;
      throw new PlutoError(error.key, { page: 'signIn', cause: error });
    }
  }
}
