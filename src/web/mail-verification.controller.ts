import { Body, Controller, Get, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { ApiConsumes, ApiTags } from '@nestjs/swagger';
import { MailVerificationService } from '../auth/registration/mail-verification.service.js';
import { CurrentRequestContext, type RequestContext } from '../common/request-context.js';
import { LimitedByAddress } from '../limits/address-limit.guard.js';
import { CsrfGuard } from './csrf.guard.js';
import {
  CurrentExchange,
  INVALID_LINK,
  LinkToken,
  Page,
  PageToken,
  type EmptyAnswer,
  type Exchange,
} from './page.js';
import { Pages } from './pages.js';

class MailVerificationForm {
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
    const { user, identity, application } = link;
    const applicationName = await this.pages.nameOf(application, exchange);
    if (identity.isVerified) {
      return this.pages.render(exchange, 'verify-mail-already', { applicationName, mail: identity.mail });
    }
    return this.pages.renderForm(exchange, 'verify-mail', {
      applicationName,
      mail: identity.mail,
      userName: user.name,
      handle: user.handle,
    });
  }

  @UseGuards(CsrfGuard)
  @Post()
  @LimitedByAddress('link-address')
  @HttpCode(200)
  @ApiConsumes('application/x-www-form-urlencoded')
  @Page({
    summary: 'Confirm the mail registration',
    description: 'Process email verification form submission',
    refusals: { 403: 'the form was not shown to this browser', ...INVALID_LINK },
    errors: ['forbidden', 'pathNotFound'],
    isOfForm: true,
  })
  async confirm(
    @Param('token') token: string,
    @Body() _form: MailVerificationForm,
    @CurrentExchange() exchange: Exchange,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<string | EmptyAnswer> {
    const confirmed = await this.verifications.confirm(token, context);
    if (!confirmed) return this.pages.renderInvalidLink(exchange, 'verify');
    const applicationName = await this.pages.nameOf(confirmed.application, exchange);
    const values = { applicationName, mail: confirmed.identity.mail };
    return this.pages.renderDone(
      exchange,
      confirmed.isFirst ? 'verify-mail-done' : 'verify-mail-already',
      values,
    );
  }
}
