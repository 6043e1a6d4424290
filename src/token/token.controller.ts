import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { ApiExcludeEndpoint, ApiTags } from '@nestjs/swagger';
import { Public } from '../common/access.js';
import { FieldPipe, QueryField } from '../common/fields.js';
import { NotCompressed } from '../common/http/compression.js';
import { Operation } from '../common/operation.js';
import { CurrentRequestContext, type RequestContext } from '../common/request-context.js';
import { LimitedByAddress } from '../limits/address-limit.guard.js';
import { AccessTokensService } from './access-tokens.service.js';
import { RefreshService } from './refresh.service.js';
import { SigningKeysService } from './signing-keys.service.js';
import {
  ACCESS_TOKEN_EXAMPLE,
  AccessClaimsDto,
  PublicKeyDto,
  RefreshDto,
  TokenPairDto,
} from './token.dto.js';
import { presentTokenPair } from './token.presenter.js';

const TOKEN = new FieldPipe('token');

@ApiTags('Token Management')
@Public()
@Controller('v1/token')
export class TokenController {
  constructor(
    private readonly refreshes: RefreshService,
    private readonly accessTokens: AccessTokensService,
    private readonly keys: SigningKeysService,
  ) {}

  @Post('refresh')
  @LimitedByAddress('refresh-address')
  @HttpCode(200)
  @Operation({
    summary: 'Refresh access token',
    description: 'Refresh an access token using a refresh token',
    answer: TokenPairDto,
    errors: ['invalidRefreshToken', 'refreshTokenExpired', 'invalidApplication', 'applicationNotExist'],
  })
  async refresh(
    @Body() body: RefreshDto,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<TokenPairDto> {
    return presentTokenPair(
      await this.refreshes.refresh({
        refreshToken: body.refresh_token,
        applicationName: body.app_id,
        scopes: body.scopes,
        deviceId: body.device_id,
        clientKey: null,
        context,
      }),
    );
  }

  @Get('publickey')
  @Operation({
    summary: 'Get the rsa public key',
    description: 'Get the RSA public key for token verification',
    answer: PublicKeyDto,
  })
  async getPublicKey(): Promise<PublicKeyDto> {
    return { public_key: await this.keys.publicKey() };
  }

  @Get('access/verify')
  @QueryField('token', {
    name: 'token',
    description: 'Access token to verify',
    example: ACCESS_TOKEN_EXAMPLE,
  })
  @NotCompressed()
  @Operation({
    summary: 'Verify access token',
    description: 'Verify the validity of an access token',
    answer: AccessClaimsDto,
    errors: ['invalidJwt', 'jwtExpired', 'invalidAccessToken'],
  })
  verify(@Query('token', TOKEN) token: string): Promise<AccessClaimsDto> {
    return this.accessTokens.verify(token);
  }

  /** The Go services use this method, which keeps the token out of the URL. */
  @Post('access/verify')
  @HttpCode(200)
  @ApiExcludeEndpoint()
  verifyPosted(@Body('token', TOKEN) token: string): Promise<AccessClaimsDto> {
    return this.accessTokens.verify(token);
  }
}
