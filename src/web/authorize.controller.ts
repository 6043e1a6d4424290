import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { ApiConsumes, ApiSecurity, ApiTags } from '@nestjs/swagger';
import { CurrentCaller, type Caller } from '../common/caller.js';
import { AsksForJson } from '../common/http/requests.js';
import { redirect } from '../common/http/envelope.js';
import { badRequest } from '../common/validation.pipe.js';
import {
  readParameters,
  writeParameters,
  type AuthorizationRequest,
} from '../oauth/authorization-request.js';
import { AuthorizationService } from '../oauth/authorization.service.js';
import { destinationOf, formTargetsOf } from '../oauth/redirect-uri.js';
import { parseScopes } from '../rbac/effective-scopes.js';
import { AuthorizedDto, AuthorizeForm, AuthorizeQuery } from './authorize.dto.js';
import { BrowserSessions, type SignedIn } from './browser-sessions.js';
import { CsrfService } from './csrf.js';
import { pageAddress } from './next-page.js';
import { PageAddresses } from './page-addresses.js';
import { answerJson, CurrentExchange, FormTarget, Page, type Exchange } from './page.js';
import { Pages } from './pages.js';
import { loginAddress, LOGOUT_PATH } from './sign-in-pages.js';

const PATH = '/web/authorize';

@ApiTags('Web Interface')
@ApiSecurity('PageSession')
@ApiSecurity('AccessToken')
@Controller('web/authorize')
export class AuthorizeController {
  constructor(
    private readonly authorization: AuthorizationService,
    private readonly browsers: BrowserSessions,
    private readonly pages: Pages,
    private readonly csrf: CsrfService,
    private readonly addresses: PageAddresses,
  ) {}

  @Get()
  @Page({
    summary: 'Oauth authorize page',
    description: 'OAuth authorization page',
    redirects: 'to the login page and back, or to the client with `error`, `error_code` and `iss`',
    refusals: {
      400: 'a parameter is malformed',
      403: 'unknown client or another redirect URI than registered',
    },
    errors: ['invalidClient', 'invalidRedirectUri'],
  })
  async show(@Query() query: AuthorizeQuery, @CurrentExchange() exchange: Exchange): Promise<string> {
    const request = await this.authorization.examine(readParameters({ ...query }));
    if ('refusedAt' in request) return redirect(exchange.reply, request.refusedAt);
    const signedIn = await this.browsers.findFor(exchange, request.application.id);
    return signedIn
      ? this.renderConsent(exchange, request, signedIn)
      : redirect(exchange.reply, this.loginPageOf(request));
  }

  @Post()
  @HttpCode(200)
  @ApiConsumes('application/x-www-form-urlencoded')
  @FormTarget({
    summary: 'Oauth authorize',
    description: 'Process OAuth authorization',
    answer: AuthorizedDto,
    redirects:
      'to the client with `iss` (RFC 9207) and `code`, `access_token` in the fragment, or `error` and `error_code`; or to the login page',
    errors: ['invalidClient', 'invalidRedirectUri', 'forbidden', 'invalidAccessToken'],
  })
  async decide(
    @Body() form: AuthorizeForm,
    @AsksForJson() asksForJson: boolean,
    @CurrentExchange() exchange: Exchange,
    @CurrentCaller() caller: Caller,
  ): Promise<string | { status: 'ok'; body: AuthorizedDto }> {
    const redirectUri = await this.decided(form, exchange, caller);
    return asksForJson
      ? answerJson(exchange, { redirect_uri: redirectUri })
      : redirect(exchange.reply, redirectUri);
  }

  /** @returns the URL to redirect the browser to */
  private async decided(form: AuthorizeForm, exchange: Exchange, caller: Caller): Promise<string> {
    const request = await this.authorization.examine(readParameters({ ...form }), 'registeredRedirectUri');
    if ('refusedAt' in request) return request.refusedAt;
    const signedIn = await this.browsers.findFor(exchange, request.application.id);
    if (!signedIn) return this.loginPageOf(request);
    this.csrf.assertFrom(exchange.request, consentOf(signedIn));
    if (form.decision === 'deny') return this.authorization.deny(request);
    if (form.decision !== 'allow') throw badRequest(['decision must be allow or deny']);
    const shown =
      form.scopes === undefined
        ? await this.authorization.scopesFor(request, signedIn.user.id)
        : parseScopes(request.scopes);
    return this.authorization.grant(request, signedIn.session, shown, caller);
  }

  private async renderConsent(
    exchange: Exchange,
    request: AuthorizationRequest,
    signedIn: SignedIn,
  ): Promise<string> {
    const { user } = signedIn;
    const { application, client, redirectUri, parameters } = request;
    const scopes = await this.authorization.scopesFor(request, user.id);
    allowFormTargets(exchange, formTargetsOf(redirectUri));
    return this.pages.render(exchange, 'authorize', {
      action: this.addresses.of(PATH),
      csrfToken: this.pages.csrfToken(exchange, consentOf(signedIn)),
      applicationName: await this.pages.nameOf(application, exchange),
      applicationId: application.name,
      clientKey: client.key,
      userName: user.name,
      handle: user.handle,
      scopes,
      longerSeconds: request.isLongerThanUsual ? request.accessTokenTtlSeconds : 0,
      destination: destinationOf(redirectUri),
      // The form requests exactly the scopes shown, even if the role changes meanwhile.
      fields: writeParameters({ ...parameters, scopes: scopes.join(' ') }),
      logoutAction: this.addresses.of(LOGOUT_PATH),
      logoutCsrfToken: this.pages.csrfToken(exchange, LOGOUT_PATH),
      next: addressOf(request),
    });
  }

  /** The login page, which returns to the request. */
  private loginPageOf(request: AuthorizationRequest): string {
    return this.addresses.of(loginAddress({ application: request.application, next: addressOf(request) }));
  }
}

/**
 * Ties the form to the session named on the page: somebody else may sign in to the same browser meanwhile.
 */
function consentOf({ session }: SignedIn): string {
  return `${PATH}:${session.id}`;
}

/** The address of the request, with every parameter as it was sent. */
function addressOf({ parameters }: AuthorizationRequest): string {
  return pageAddress(
    PATH,
    Object.fromEntries(writeParameters(parameters).map(({ name, value }) => [name, value])),
  );
}

/**
 * CSP level 3: `form-action` also applies to redirects after a form submission, such as the one to the
 * client.
 */
function allowFormTargets({ reply }: Exchange, targets: string): void {
  const policy = String(reply.getHeader('content-security-policy'));
  void reply.header(
    'content-security-policy',
    policy.replace("form-action 'self'", `form-action 'self' ${targets}`),
  );
}
