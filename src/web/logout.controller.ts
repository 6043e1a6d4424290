import { Body, Controller, HttpCode, Post, UseGuards } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { redirect } from '../common/http/envelope.js';
import { BrowserSessions } from './browser-sessions.js';
import { CsrfGuard } from './csrf.guard.js';
import { LoginQuery } from './login.dto.js';
import { PageAddresses } from './page-addresses.js';
import { CurrentExchange, Page, type Exchange } from './page.js';
import { loginAddress, SignInPages } from './sign-in-pages.js';

@ApiExcludeController()
@Controller('web/logout')
export class LogoutController {
  constructor(
    private readonly browsers: BrowserSessions,
    private readonly signIn: SignInPages,
    private readonly addresses: PageAddresses,
  ) {}

  /** Signs the browser out and shows the sign-in page, so that somebody else can sign in and continue. */
  @UseGuards(CsrfGuard)
  @Post()
  @HttpCode(200)
  @Page({ summary: 'Logout', description: 'Sign the browser out' })
  async logout(@Body() form: LoginQuery, @CurrentExchange() exchange: Exchange): Promise<string> {
    await this.browsers.signOut(exchange);
    const application = await this.signIn.applicationOf(form.app_id);
    const next = this.addresses.ownPage(form.next);
    return redirect(exchange.reply, this.addresses.of(loginAddress({ application, next })));
  }
}
