import { Body, Controller, Get, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { ApiConsumes, ApiTags } from '@nestjs/swagger';
import { MailChangesService } from '../auth/mail-change/mail-changes.service.js';
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
  type EmptyAnswer,
  type Exchange,
} from './page.js';
import { PageAddresses } from './page-addresses.js';
import { Pages } from './pages.js';
import { loginAddress } from './sign-in-pages.js';

class MailChangeForm {
  @PageToken()
  _csrf?: unknown;
}

/** The link to the new address of an account. */
@ApiTags('Web Interface')
@LinkToken('Token of the link to the new address')
@Controller('web/mail/change/:token')
export class MailChangeConfirmationController {
  constructor(
    private readonly changes: MailChangesService,
    private readonly pages: Pages,
    private readonly addresses: PageAddresses,
  ) {}

  /** GET must not change anything: mail scanners follow links. */
  @Get()
  @Page({
    summary: 'Confirm the new mail address page',
    description: 'Web page to confirm the new address of an account',
    refusals: INVALID_LINK,
    errors: ['pathNotFound'],
  })
  async show(@Param('token') token: string, @CurrentExchange() exchange: Exchange): Promise<string> {
    const linked = await this.changes.lookConfirmation(token);
    if (!linked) return this.pages.renderInvalidLink(exchange, 'change');
    return this.pages.renderForm(exchange, 'mail-change', {
      applicationName: await this.pages.nameOf(linked.application, exchange),
      mail: linked.change.newMail,
      userName: linked.user.name,
      handle: linked.user.handle,
    });
  }

  @UseGuards(CsrfGuard)
  @Post()
  @LimitedByAddress('link-address')
  @HttpCode(200)
  @ApiConsumes('application/x-www-form-urlencoded')
  @Page({
    summary: 'Confirm the new mail address',
    description: 'Process the form that confirms the new address of an account',
    refusals: {
      403: 'the form was not shown to this browser, or another account has the address by now',
      ...INVALID_LINK,
    },
    errors: ['forbidden', 'mailAlreadyRegistered', 'pathNotFound'],
    isOfForm: true,
  })
  async confirm(
    @Param('token') token: string,
    @Body() _form: MailChangeForm,
    @CurrentExchange() exchange: Exchange,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<string | EmptyAnswer> {
    const confirmed = await this.changes.confirm(token, context);
    if (!confirmed) return this.pages.renderInvalidLink(exchange, 'change');
    const { application, change, outcome } = confirmed;
    const shown = {
      applicationName: await this.pages.nameOf(application, exchange),
      mail: change.newMail,
      loginHref: this.addresses.of(loginAddress({ application, next: '' })),
    };
    if (outcome === 'changed') return this.pages.renderDone(exchange, 'mail-change-done', shown);
    this.pages.refuse(exchange, new PlutoError('mailAlreadyRegistered'));
    return this.pages.render(exchange, 'mail-change-taken', shown);
  }
}
