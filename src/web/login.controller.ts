import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { ApiConsumes, ApiTags } from '@nestjs/swagger';
import { PageLoginService } from '../auth/password/page-login.service.js';
import { PasswordLoginService } from '../auth/password/password-login.service.js';
import { CurrentCaller, type Caller } from '../common/caller.js';
import { PlutoError } from '../common/errors.js';
import { namesJson, prefersHtml } from '../common/http/requests.js';
import { redirect } from '../common/http/envelope.js';
import { tidyMail } from '../common/mail-addresses.js';
import { isOpaque, MAIL_MAX, PASSWORD_MAX_BYTES } from '../common/text-checks.js';
import { LimitedByAddress } from '../limits/address-limit.guard.js';
import { TokenPairDto } from '../token/token.dto.js';
import { presentTokenPair } from '../token/token.presenter.js';
import type { User } from '../users/user.entity.js';
import { BrowserDevices } from './browser-devices.js';
import { BrowserSessions } from './browser-sessions.js';
import { CsrfService } from './csrf.js';
import { LoginForm, LoginQuery } from './login.dto.js';
import { PageAddresses } from './page-addresses.js';
import { answerJson, CurrentExchange, FormTarget, Page, textOf, type Exchange } from './page.js';
import { Pages } from './pages.js';
import { LOGOUT_PATH, onward, SignInPages, type SignInTarget } from './sign-in-pages.js';

interface TokenAnswer {
  status: 'ok';
  body: TokenPairDto;
}

@ApiTags('Web Interface')
@Controller('web/login')
export class LoginController {
  constructor(
    private readonly logins: PasswordLoginService,
    private readonly pageLogins: PageLoginService,
    private readonly browsers: BrowserSessions,
    private readonly devices: BrowserDevices,
    private readonly signIn: SignInPages,
    private readonly pages: Pages,
    private readonly csrf: CsrfService,
    private readonly addresses: PageAddresses,
  ) {}

  @Get()
  @Page({
    summary: 'Login page',
    description: 'Web login page',
    redirects: 'where `next` says, when somebody is signed in',
    refusals: { 403: 'there is no such application' },
    errors: ['applicationNotExist'],
  })
  async show(@Query() query: LoginQuery, @CurrentExchange() exchange: Exchange): Promise<string> {
    const place = await this.placeOf(query);
    const signedIn = await this.browsers.findFor(exchange, place.application.id);
    if (!signedIn) return this.signIn.renderLogin(exchange, place);
    return place.next === ''
      ? this.renderSignedIn(exchange, place, signedIn.user)
      : redirect(exchange.reply, this.addresses.of(place.next));
  }

  @Post()
  @LimitedByAddress('login-address')
  @HttpCode(200)
  @ApiConsumes('application/x-www-form-urlencoded')
  @FormTarget({
    summary: 'Login with email or username',
    description: 'Process web login form',
    answer: TokenPairDto,
    redirects:
      'to where the sign-in was asked for, with a cookie; or shown the form again with what is wrong',
    errors: ['applicationNotExist', 'invalidPassword', 'mailNotVerified', 'forbidden', 'serviceUnavailable'],
  })
  async login(
    @Body() form: LoginForm,
    @CurrentExchange() exchange: Exchange,
    @CurrentCaller() caller: Caller,
  ): Promise<string | TokenAnswer> {
    if (isOfProgram(exchange, form)) return this.answerProgram(form, exchange, caller);
    this.csrf.assertFrom(exchange.request);
    const place = await this.placeOf(form);
    try {
      await this.openInBrowser(form, place, exchange, caller);
    } catch (error) {
      if (!(error instanceof PlutoError)) throw error;
      if (error.key !== 'invalidPassword' && error.key !== 'mailNotVerified') throw error;
      this.pages.refuse(exchange, error);
      return this.signIn.renderLogin(exchange, place, { account: textOf(form.account), error: error.key });
    }
    return redirect(exchange.reply, this.addresses.of(onward(place)));
  }

  /** Needs no CSRF token: it sets no cookie, so a form on another site gains nothing by posting here. */
  private async answerProgram(form: LoginForm, exchange: Exchange, caller: Caller): Promise<TokenAnswer> {
    const { application } = await this.placeOf(form);
    const deviceId = isOpaque(form.device_id, 255) ? textOf(form.device_id) : undefined;
    const credentials = { ...readCredentials(form), applicationName: application.name };
    const pair = await this.logins.login({ ...credentials, caller, device: { id: deviceId } });
    return answerJson(exchange, presentTokenPair(pair));
  }

  private async openInBrowser(
    form: LoginForm,
    { application }: SignInTarget,
    exchange: Exchange,
    caller: Caller,
  ): Promise<void> {
    const browser = this.devices.secretOf(exchange);
    const credentials = { ...readCredentials(form), applicationName: application.name };
    const token = await this.pageLogins.login(
      { ...credentials, caller, device: { browser } },
      this.browsers.tokenOf(exchange),
    );
    this.browsers.signIn(exchange, token);
    this.devices.keep(exchange, browser);
  }

  private async placeOf({ app_id, next }: LoginQuery): Promise<SignInTarget> {
    return { application: await this.signIn.applicationOf(app_id), next: this.addresses.ownPage(next) };
  }

  private async renderSignedIn(
    exchange: Exchange,
    { application }: SignInTarget,
    { name, handle }: User,
  ): Promise<string> {
    return this.pages.renderFormTo(exchange, LOGOUT_PATH, 'signed-in', {
      applicationName: await this.pages.nameOf(application, exchange),
      applicationId: application.name,
      userName: name,
      handle,
    });
  }
}

/**
 * Whether tokens are asked for rather than a session in a browser: not by a form of the page, which has its
 * token, unless JSON is named.
 */
function isOfProgram({ request }: Exchange, form: LoginForm): boolean {
  return !prefersHtml(request) && (namesJson(request) || form._csrf === undefined);
}

/** Impossible credentials are refused without a lookup. */
function readCredentials({ account: typed, password }: LoginForm): { account: string; password: string } {
  const account = tidyMail(textOf(typed));
  const isPossible =
    isOpaque(account, MAIL_MAX) &&
    typeof password === 'string' &&
    password !== '' &&
    Buffer.byteLength(password) <= PASSWORD_MAX_BYTES;
  if (!isPossible) throw new PlutoError('invalidPassword');
  return { account, password };
}
