import { Body, Controller, Get, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { ApiConsumes, ApiTags } from '@nestjs/swagger';
import { MailChangeUndoService } from '../auth/mail-change/mail-change-undo.service.js';
import { CurrentCaller, type Caller } from '../common/caller.js';
import { LimitedByAddress } from '../limits/address-limit.guard.js';
import { CsrfGuard } from './csrf.guard.js';
import { pageAddress } from './next-page.js';
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
import { FORGOT_PATH } from './sign-in-pages.js';

class MailChangeUndoForm {
  @PageToken()
  _csrf?: unknown;
}

/** The links to the former address of an account. */
@ApiTags('Web Interface')
@LinkToken('Token of a link to the former address')
@Controller('web/mail/change/undo/:token')
export class MailChangeUndoController {
  constructor(
    private readonly undoing: MailChangeUndoService,
    private readonly pages: Pages,
    private readonly addresses: PageAddresses,
  ) {}

  /** GET must not change anything: mail scanners follow links. */
  @Get()
  @Page({
    summary: 'Undo the change of the mail address page',
    description: 'Web page to stop or undo the change of the address of an account',
    refusals: INVALID_LINK,
    errors: ['pathNotFound'],
  })
  async show(@Param('token') token: string, @CurrentExchange() exchange: Exchange): Promise<string> {
    const linked = await this.undoing.look(token);
    if (!linked) return this.pages.renderInvalidLink(exchange, 'undo');
    return this.pages.renderForm(exchange, 'mail-change-undo', {
      applicationName: await this.pages.nameOf(linked.application, exchange),
      kind: linked.step,
      formerMail: linked.change.formerMail,
      newMail: linked.change.newMail,
    });
  }

  @UseGuards(CsrfGuard)
  @Post()
  @LimitedByAddress('link-address')
  @HttpCode(200)
  @ApiConsumes('application/x-www-form-urlencoded')
  @Page({
    summary: 'Undo the change of the mail address',
    description: 'Process the form that stops or undoes the change of the address of an account',
    refusals: { 403: 'the form was not shown to this browser', ...INVALID_LINK },
    errors: ['forbidden', 'pathNotFound'],
    isOfForm: true,
  })
  async undo(
    @Param('token') token: string,
    @Body() _form: MailChangeUndoForm,
    @CurrentExchange() exchange: Exchange,
    @CurrentCaller() caller: Caller,
  ): Promise<string | EmptyAnswer> {
    const undone = await this.undoing.undo(token, caller);
    if (!undone) return this.pages.renderInvalidLink(exchange, 'undo');
    return this.pages.renderDone(exchange, 'mail-change-undone', {
      applicationName: await this.pages.nameOf(undone.application, exchange),
      kind: undone.step,
      mail: undone.change.formerMail,
      forgotHref: this.addresses.of(pageAddress(FORGOT_PATH, { app_id: undone.application.name, next: '' })),
    });
  }
}
