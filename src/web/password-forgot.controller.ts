import { Body, Controller, Get, HttpCode, Post, Query, UseGuards } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Allow } from 'class-validator';
import { PasswordResetService } from '../auth/password/password-reset.service.js';
import { CurrentCaller, type Caller } from '../common/caller.js';
import { tidyMail } from '../common/mail-addresses.js';
import { isMailbox } from '../common/text-checks.js';
import { badRequest } from '../common/validation.pipe.js';
import { LimitedByAddress } from '../limits/address-limit.guard.js';
import { CsrfGuard } from './csrf.guard.js';
import { LoginQuery } from './login.dto.js';
import { PageAddresses } from './page-addresses.js';
import { CurrentExchange, Page, textOf, type EmptyAnswer, type Exchange } from './page.js';
import { Pages } from './pages.js';
import { loginAddress, SignInPages } from './sign-in-pages.js';

class ForgotForm extends LoginQuery {
  @Allow()
  mail?: unknown;
}

@ApiExcludeController()
@Controller('web/password/forgot')
export class PasswordForgotController {
  constructor(
    private readonly resets: PasswordResetService,
    private readonly signIn: SignInPages,
    private readonly pages: Pages,
    private readonly addresses: PageAddresses,
  ) {}

  @Get()
  @Page({ summary: 'Forgot password page', description: 'Web page to ask for the password reset email' })
  show(@Query() query: LoginQuery, @CurrentExchange() exchange: Exchange): Promise<string> {
    return this.render(query, exchange, { mail: '', isMailInvalid: false });
  }

  /** The response is the same for known and unknown mails. */
  @UseGuards(CsrfGuard)
  @Post()
  @LimitedByAddress('mail-address')
  @HttpCode(200)
  @Page({
    summary: 'Forgot password',
    description: 'Process the form that asks for the password reset email',
  })
  async send(
    @Body() form: ForgotForm,
    @CurrentExchange() exchange: Exchange,
    @CurrentCaller() caller: Caller,
  ): Promise<string | EmptyAnswer> {
    const mail = tidyMail(textOf(form.mail));
    if (!isMailbox(mail)) {
      this.pages.refuse(exchange, badRequest(['mail must be an email address']));
      return this.render(form, exchange, { mail, isMailInvalid: true });
    }
    const application = await this.signIn.applicationOf(form.app_id);
    await this.resets.sendMail(application.name, mail, caller);
    return this.pages.renderDone(exchange, 'password-forgot-done', {
      applicationName: await this.pages.nameOf(application, exchange),
      mail,
      loginHref: this.addresses.of(loginAddress({ application, next: this.addresses.ownPage(form.next) })),
    });
  }

  private async render(
    { app_id, next: wanted }: LoginQuery,
    exchange: Exchange,
    input: { mail: string; isMailInvalid: boolean },
  ): Promise<string> {
    const application = await this.signIn.applicationOf(app_id);
    const next = this.addresses.ownPage(wanted);
    return this.pages.renderForm(exchange, 'password-forgot', {
      ...input,
      applicationName: await this.pages.nameOf(application, exchange),
      applicationId: application.name,
      next,
      loginHref: this.addresses.of(loginAddress({ application, next })),
    });
  }
}
