import { Body, Controller, Get, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { ApiConsumes, ApiPropertyOptional, ApiTags } from '@nestjs/swagger';
import { Allow } from 'class-validator';
import {
  MailVerificationService,
  type VerificationLink,
} from '../auth/registration/mail-verification.service.js';
import { PlutoError } from '../common/errors.js';
import { CurrentRequestContext, type RequestContext } from '../common/request-context.js';
import { LimitedByAddress } from '../limits/address-limit.guard.js';
import { CsrfGuard } from './csrf.guard.js';
import {
  CurrentExchange,
  INVALID_LINK,
  LinkToken,
  Page,
  PageToken,
  textOf,
  type EmptyAnswer,
  type Exchange,
} from './page.js';
import { Pages } from './pages.js';

/** Both fields are empty unless the mail is contested. */
class VerifyMailForm {
  @Allow()
  @ApiPropertyOptional({
    type: String,
    description: 'The password of the registration, if another one of the mail is pending',
    example: 'correct horse',
  })
  password?: unknown;

  @Allow()
  @ApiPropertyOptional({
    type: String,
    description: 'The user ID in its place, if the account has no password',
    example: 'ann',
  })
  user_id?: unknown;

  @PageToken()
  _csrf?: unknown;
}

@ApiTags('Web Interface')
@LinkToken('Verification token')
@Controller('web/mail/verify/:token')
export class MailVerificationController {
  constructor(
    private readonly verifications: MailVerificationService,
    private readonly pages: Pages,
  ) {}

  /** GET must not confirm anything: mail scanners follow links. */
  @Get()
  @Page({
    summary: 'Verify the mail registration',
    description: 'Web page for email verification',
    refusals: INVALID_LINK,
    errors: ['pathNotFound'],
  })
  async show(@Param('token') token: string, @CurrentExchange() exchange: Exchange): Promise<string> {
    const link = await this.verifications.look(token);
    if (!link) return this.pages.renderInvalidLink(exchange, 'verify');
    const { user, identity, application, requires } = link;
    const values = { applicationName: await this.pages.nameOf(application, exchange), mail: identity.mail };
    if (identity.isVerified) return this.pages.render(exchange, 'verify-mail-already', values);
    if (requires !== null) return this.renderContested(exchange, link, false);
    const { name: userName, handle } = user;
    return this.pages.renderForm(exchange, 'verify-mail', { ...values, userName, handle });
  }

  @UseGuards(CsrfGuard)
  @Post()
  @LimitedByAddress('link-address')
  @HttpCode(200)
  @ApiConsumes('application/x-www-form-urlencoded')
  @Page({
    summary: 'Confirm the mail registration',
    description: 'Process email verification form submission',
    refusals: {
      403: 'the form was not shown to this browser, or another registration of the mail is pending and the password is missing or wrong',
      ...INVALID_LINK,
    },
    errors: ['forbidden', 'invalidPassword', 'pathNotFound'],
    isOfForm: true,
  })
  async confirm(
    @Param('token') token: string,
    @Body() form: VerifyMailForm,
    @CurrentExchange() exchange: Exchange,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<string | EmptyAnswer> {
    const typed = textOf(form.password) || textOf(form.user_id);
    const link = await this.verifications.confirm(token, typed, context);
    if (!link) return this.pages.renderInvalidLink(exchange, 'verify');
    if (link.outcome === 'unproven') {
      this.pages.refuse(exchange, new PlutoError('invalidPassword'));
      return this.renderContested(exchange, link, typed !== '');
    }
    const applicationName = await this.pages.nameOf(link.application, exchange);
    return this.pages.renderDone(
      exchange,
      link.outcome === 'confirmed' ? 'verify-mail-done' : 'verify-mail-already',
      { applicationName, mail: link.identity.mail },
    );
  }

  private async renderContested(
    exchange: Exchange,
    { user, identity, application, requires }: VerificationLink,
    isWrong: boolean,
  ): Promise<string> {
    return this.pages.renderForm(exchange, 'verify-mail-contested', {
      applicationName: await this.pages.nameOf(application, exchange),
      mail: identity.mail,
      // To be entered where there is no password, so it is not shown.
      handle: requires === 'handle' ? '' : user.handle,
      proof: requires ?? 'password',
      isWrong,
    });
  }
}
