import { Body, Controller, Get, HttpCode, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiResponse, ApiTags, getSchemaPath } from '@nestjs/swagger';
import { Public } from '../../common/access.js';
import { CurrentCaller, type Caller } from '../../common/caller.js';
import { randomToken } from '../../common/crypto.js';
import { PlutoError, type ErrorKey } from '../../common/errors.js';
import { NotCompressed } from '../../common/http/compression.js';
import { IsHead, PrefersHtml } from '../../common/http/requests.js';
import { Operation } from '../../common/operation.js';
import { redirect } from '../../common/http/envelope.js';
import { nowSeconds } from '../../common/time.js';
import { badRequest } from '../../common/validation.pipe.js';
import { LimitedByAddress } from '../../limits/address-limit.guard.js';
import { TokenPairDto } from '../../token/token.dto.js';
import { presentTokenPair } from '../../token/token.presenter.js';
import type { TokenPair } from '../../token/token-issuer.service.js';
import {
  AppleLoginDto,
  GoogleLoginDto,
  WechatLoginDto,
  WechatWebQuery,
  WechatWebStartDto,
} from './provider-login.dto.js';
import { appleName } from './apple/apple-name.js';
import { ProviderLoginService } from './provider-login.service.js';
import { WechatBrowsers } from './wechat/wechat-browsers.js';
import { WechatWebLoginService } from './wechat/wechat-web-login.service.js';

const PROVIDER_ERRORS: ErrorKey[] = ['applicationNotExist', 'forbidden', 'serviceUnavailable'];

@ApiTags('User Authentication')
@Public()
@LimitedByAddress('provider-address')
@Controller('v1/user/login')
export class ProviderLoginController {
  constructor(
    private readonly logins: ProviderLoginService,
    private readonly wechatWebLogins: WechatWebLoginService,
    private readonly wechatBrowsers: WechatBrowsers,
  ) {}

  @Post('google/mobile')
  @HttpCode(200)
  @Operation({
    summary: 'Login with google account for mobile app',
    description: 'Authenticate user with Google ID token for mobile applications',
    answer: TokenPairDto,
    errors: [...PROVIDER_ERRORS, 'invalidGoogleIdToken'],
  })
  async loginWithGoogle(
    @Body() body: GoogleLoginDto,
    @CurrentCaller() caller: Caller,
  ): Promise<TokenPairDto> {
    const { app_id: applicationName, id_token: credential, device_id: deviceId } = body;
    return presentTokenPair(
      await this.logins.login({ applicationName, type: 'google', credential, deviceId }, caller),
    );
  }

  @Post('apple/mobile')
  @HttpCode(200)
  @Operation({
    summary: 'Login with apple account for mobile app',
    description: 'Authenticate user with Apple authorization code for mobile applications',
    answer: TokenPairDto,
    errors: [...PROVIDER_ERRORS, 'invalidAppleIdToken'],
  })
  async loginWithApple(@Body() body: AppleLoginDto, @CurrentCaller() caller: Caller): Promise<TokenPairDto> {
    const { app_id: applicationName, code: credential, device_id: deviceId } = body;
    const name = appleName(body.name);
    return presentTokenPair(
      await this.logins.login({ applicationName, type: 'apple', credential, deviceId, name }, caller),
    );
  }

  @Get('wechat/web')
  @NotCompressed()
  @ApiResponse({
    status: 302,
    description:
      "For a browser: to WeChat's page with the QR code; back from WeChat: to `redirect_url`, with " +
      '`access_token`, `token_type` and `expires_in` in the fragment. A sign-in with `redirect_url`, or one ' +
      'that was answered with a redirect, must be completed by the browser that has the cookie of its start',
  })
  @Operation({
    summary: 'Login with wechat account for web app',
    description: 'Initiate WeChat OAuth flow for web applications',
    answer: {
      type: 'object',
      oneOf: [{ $ref: getSchemaPath(WechatWebStartDto) }, { $ref: getSchemaPath(TokenPairDto) }],
    },
    models: [WechatWebStartDto, TokenPairDto],
    errors: [...PROVIDER_ERRORS, 'invalidWechatCode'],
  })
  async loginWithWechatOnWeb(
    @Query() query: WechatWebQuery,
    @PrefersHtml() prefersHtml: boolean,
    @IsHead() isHead: boolean,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<WechatWebStartDto | TokenPairDto | string> {
    if (query.state !== undefined || query.code !== undefined) {
      if (isHead) throw new PlutoError('methodNotAllowed');
      return this.finish(query, this.wechatBrowsers.secretOf(request), { caller, reply });
    }
    if (query.app_id === undefined) throw badRequest(['app_id is required']);
    const redirectUrl = query.redirect_url || query.redirect_uri || '';
    // A program without a cookie may complete what answers in JSON, as ever.
    const secret =
      redirectUrl === '' && !prefersHtml ? '' : this.wechatBrowsers.secretOf(request) || randomToken();
    const { authorizeUrl, state } = await this.wechatWebLogins.start(query.app_id, redirectUrl, secret);
    if (secret !== '') this.wechatBrowsers.keep(reply, secret);
    return prefersHtml ? redirect(reply, authorizeUrl) : { authorize_url: authorizeUrl, state };
  }

  @Post('wechat/mobile')
  @HttpCode(200)
  @Operation({
    summary: 'Login with wechat account for mobile app',
    description: 'Authenticate user with WeChat authorization code for mobile applications',
    answer: TokenPairDto,
    errors: [...PROVIDER_ERRORS, 'invalidWechatCode'],
  })
  async loginWithWechat(
    @Body() body: WechatLoginDto,
    @CurrentCaller() caller: Caller,
  ): Promise<TokenPairDto> {
    const { app_id: applicationName, code: credential, device_id: deviceId } = body;
    return presentTokenPair(
      await this.logins.login({ applicationName, type: 'wechat', credential, deviceId }, caller),
    );
  }

  private async finish(
    { state, code }: WechatWebQuery,
    browserSecret: string,
    { caller, reply }: { caller: Caller; reply: FastifyReply },
  ): Promise<TokenPairDto | string> {
    if (state === undefined) throw badRequest(['state is required with code']);
    const { tokens, redirectUrl } = await this.wechatWebLogins.finish(state, code, browserSecret, caller);
    return redirectUrl === ''
      ? presentTokenPair(tokens)
      : redirect(reply, `${redirectUrl}#${fragmentOf(tokens)}`);
  }
}

/** Fragments are not sent to servers; RFC 6749 section 4.2.2 allows no refresh token here. */
function fragmentOf({ accessToken, accessTokenExpiresAt }: TokenPair): string {
  return new URLSearchParams({
    access_token: accessToken,
    token_type: 'Bearer',
    expires_in: String(accessTokenExpiresAt - nowSeconds()),
  }).toString();
}
