import { Body, Controller, Get, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { ApiConsumes, ApiProperty, ApiPropertyOptional, ApiTags } from '@nestjs/swagger';
import { Allow } from 'class-validator';
import { weaknessMessages, weaknessOf } from '../auth/password/password-rules.js';
import { PasswordResetService, wordsOf, type KeptBindings } from '../auth/password/password-reset.service.js';
import { CurrentCaller, type Caller } from '../common/caller.js';
import { badRequest } from '../common/validation.pipe.js';
import { passwordFault } from '../common/text-checks.js';
import type { PasswordResetError } from '../common/views/views.js';
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

/** Fields are validated in the controller so that the form can show the error. */
class PasswordResetForm {
  @Allow()
  @ApiProperty({ type: String, minLength: 8, description: 'New password', example: 'correct horse' })
  password?: unknown;

  @Allow()
  @ApiPropertyOptional({
    type: String,
    description: 'The same again, where the form asks twice',
    example: 'correct horse',
  })
  password_repeat?: unknown;

  @Allow()
  @ApiPropertyOptional({
    type: String,
    enum: ['listed'],
    description:
      'Sent by the page if it lists ways to sign in that were added in the last 30 days: those that are not in ' +
      '`keep` are removed. Without it all stay',
    example: 'listed',
  })
  bindings?: unknown;

  @Allow()
  @ApiPropertyOptional({
    type: [String],
    description: 'The listed ways to sign in that stay',
    example: ['17'],
  })
  keep?: unknown;

  @PageToken()
  _csrf?: unknown;
}

/** For clients that do not prefer HTML; the page has its own words. */
const messages: Record<PasswordResetError, string> = {
  tooShort: 'password must be at least 8 characters long',
  tooLong: 'password must be at most 1024 bytes long',
  ...weaknessMessages,
  mismatch: 'password_repeat must equal password',
};

@ApiTags('Web Interface')
@LinkToken('Reset token')
@Controller('web/password/reset/:token')
export class PasswordResetController {
  constructor(
    private readonly resets: PasswordResetService,
    private readonly pages: Pages,
    private readonly addresses: PageAddresses,
  ) {}

  @Get()
  @Page({
    summary: 'Reset password page',
    description: 'Web page for password reset',
    refusals: INVALID_LINK,
    errors: ['pathNotFound'],
  })
  show(@Param('token') token: string, @CurrentExchange() exchange: Exchange): Promise<string> {
    return this.renderForm(token, exchange);
  }

  @UseGuards(CsrfGuard)
  @Post()
  @LimitedByAddress('link-address')
  @HttpCode(200)
  @ApiConsumes('application/x-www-form-urlencoded')
  @Page({
    summary: 'Reset password',
    description: 'Process password reset form submission',
    refusals: {
      400: 'the form again, with what is wrong about the password',
      403: 'the form was not shown to this browser',
      ...INVALID_LINK,
    },
    errors: ['forbidden', 'pathNotFound'],
    isOfForm: true,
  })
  async reset(
    @Param('token') token: string,
    @Body() form: PasswordResetForm,
    @CurrentExchange() exchange: Exchange,
    @CurrentCaller() caller: Caller,
  ): Promise<string | EmptyAnswer> {
    const password = typeof form.password === 'string' ? form.password : '';
    const link = await this.resets.look(token);
    if (!link) return this.pages.renderInvalidLink(exchange, 'reset');
    const kept = keptOf(form);
    const error = formFault(password, form.password_repeat, wordsOf(link));
    if (error) {
      this.pages.refuse(exchange, badRequest([messages[error]]));
      return this.renderForm(token, exchange, { error, kept });
    }
    const account = await this.resets.reset(token, { password, kept }, caller);
    if (!account) return this.pages.renderInvalidLink(exchange, 'reset');
    const applicationName = await this.pages.nameOf(account.application, exchange);
    const loginHref = this.addresses.of(loginAddress({ application: account.application, next: '' }));
    return this.pages.renderDone(exchange, 'password-reset-done', { applicationName, loginHref });
  }

  /**
   * All boxes are ticked at first: most people reset a password that they forgot, and would lose a way to
   * sign in by not reading.
   */
  private async renderForm(
    token: string,
    exchange: Exchange,
    { error, kept = 'all' }: { error?: PasswordResetError; kept?: KeptBindings } = {},
  ): Promise<string> {
    const account = await this.resets.look(token);
    if (!account) return this.pages.renderInvalidLink(exchange, 'reset');
    const { application, identity, recent } = account;
    return this.pages.renderForm(exchange, 'password-reset', {
      applicationName: await this.pages.nameOf(application, exchange),
      mail: identity.mail,
      bindings: recent.map(({ id, loginType, mail, createdAt }) => ({
        id,
        method: loginType,
        mail,
        addedAt: createdAt,
        isKept: kept === 'all' || kept.includes(id),
      })),
      error,
    });
  }
}

function keptOf({ bindings, keep }: PasswordResetForm): KeptBindings {
  return bindings === 'listed' ? [keep].flat().map(Number) : 'all';
}

function formFault(password: string, repeated: unknown, words: readonly string[]): PasswordResetError | null {
  const fault = passwordFault(password);
  if (fault !== null) return fault;
  if (repeated !== undefined && repeated !== password) return 'mismatch';
  return weaknessOf(password, words);
}
