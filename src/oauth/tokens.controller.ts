import { Body, Controller, Headers, HttpCode, Post } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiSecurity, ApiTags } from '@nestjs/swagger';
import { Public } from '../common/access.js';
import { CurrentCaller, type Caller } from '../common/caller.js';
import { PlutoError } from '../common/errors.js';
import { AcceptsForms, ClientChallenge } from '../common/http/route-options.js';
import { Operation } from '../common/operation.js';
import { badRequest } from '../common/validation.pipe.js';
import { LimitedByAddress } from '../limits/address-limit.guard.js';
import { TokenPairDto } from '../token/token.dto.js';
import { presentTokenPair } from '../token/token.presenter.js';
import { readClientCredentials } from './client-credentials.js';
import { ClientsService } from './clients.service.js';
import { tokenRequestExamples } from './examples.js';
import { AuthorizationCodeGrant } from './grants/authorization-code.grant.js';
import { ClientCredentialsGrant } from './grants/client-credentials.grant.js';
import { TokenParameters, type Grant } from './grants/grant.js';
import { PasswordGrant } from './grants/password.grant.js';
import { RefreshTokenGrant } from './grants/refresh-token.grant.js';
import { TokensDto, type GrantType } from './oauth.dto.js';

@ApiTags('OAuth')
@Public()
@Controller('v1/oauth')
export class TokensController {
  private readonly grants: Record<GrantType, Grant>;

  constructor(
    private readonly clients: ClientsService,
    authorizationCode: AuthorizationCodeGrant,
    password: PasswordGrant,
    clientCredentials: ClientCredentialsGrant,
    refreshToken: RefreshTokenGrant,
  ) {
    this.grants = {
      authorization_code: authorizationCode,
      password,
      client_credentials: clientCredentials,
      refresh_token: refreshToken,
    };
  }

  // Or key and secret in the body.
  @ApiSecurity({})
  @ApiSecurity('Client')
  @Post('tokens')
  @LimitedByAddress('client-address')
  @AcceptsForms()
  @ClientChallenge()
  @HttpCode(200)
  @ApiConsumes('application/json', 'application/x-www-form-urlencoded')
  @ApiBody({
    type: TokensDto,
    examples: tokenRequestExamples,
    description:
      'The client says who it is by HTTP Basic, or by `client_id` and `client_secret` in the body. ' +
      'authorization_code: code, redirect_uri, code_verifier; password: user, password, app_id, scopes; ' +
      'client_credentials: app_id, scopes; refresh_token: refresh_token, app_id, scopes.',
  })
  @Operation({
    summary: 'Request access token',
    description: 'Request an OAuth access token using various grant types',
    answer: TokenPairDto,
    errors: [
      'clientNotFound',
      'invalidClient',
      'invalidGrantType',
      'authorizationCodeNotFound',
      'authorizationCodeExpired',
      'invalidRedirectUri',
      'applicationNotExist',
      'invalidApplication',
      'invalidPassword',
      'mailNotVerified',
      'invalidRefreshToken',
      'refreshTokenExpired',
      'serviceUnavailable',
    ],
  })
  async issue(
    @Headers('authorization') authorization: string | undefined,
    @Body() body: TokensDto | undefined,
    @CurrentCaller() caller: Caller,
  ): Promise<TokenPairDto> {
    const given = { ...body };
    const { key, secret } = readClientCredentials(authorization, given);
    const client = await this.clients.authenticate(key, secret, caller);
    const grant = this.grantOf(given.grant_type);
    return presentTokenPair(await grant.issue({ client, parameters: new TokenParameters(given), caller }));
  }

  private grantOf(type: unknown): Grant {
    if (type === undefined || type === null || type === '') throw badRequest(['grant_type is required']);
    const grant = Object.entries(this.grants).find(([name]) => name === type)?.[1];
    if (!grant) throw new PlutoError('invalidGrantType');
    return grant;
  }
}
