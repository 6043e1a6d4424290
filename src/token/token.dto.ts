import { ApiProperty } from '@nestjs/swagger';
import { Field } from '../common/fields.js';
import type { AccessClaims } from './access-claims.js';
import type { TokenPair } from './token-issuer.service.js';

export class RefreshDto {
  @Field('token', { description: 'Refresh token', example: 'Jq0s3kZ5v0cU9nF2m1bq7uYwXg4hT6eR8aKpLdVzQ_M' })
  refresh_token: string;

  @Field('appName', { description: 'Application ID' })
  app_id: string;

  @Field('scopes', { description: 'Requested scopes, separated by commas or spaces', optional: true })
  scopes?: string;
}

export class VerifyTokenDto {
  @Field('token', {
    description: 'Access token to verify',
    example: 'eyJhbGciOiJSUzI1NiJ9.eyJ0eXBlIjoiYWNjZXNzIn0.c2ln',
  })
  token: string;
}

export class TokenPairDto {
  @ApiProperty({ type: String, description: 'JWT, RS256' })
  access_token: string;

  @ApiProperty({ type: 'integer', description: 'Unix seconds', example: 1767229200 })
  access_token_expire_at: number;

  @ApiProperty({ type: String, description: 'Opaque; good for one exchange' })
  refresh_token: string;

  @ApiProperty({ type: 'integer', description: 'Unix seconds', example: 1769644800 })
  refresh_token_expire_at: number;

  @ApiProperty({ enum: ['Bearer'] })
  type: 'Bearer';
}

export class PublicKeyDto {
  @ApiProperty({ type: String, description: 'PEM, SubjectPublicKeyInfo' })
  public_key: string;
}

export class AccessClaimsDto implements AccessClaims {
  @ApiProperty({ enum: ['access'] })
  type: 'access';

  @ApiProperty({ type: 'integer', description: 'Issued at, Unix seconds', example: 1767225600 })
  iat: number;

  @ApiProperty({ type: 'integer', description: 'Expires at, Unix seconds', example: 1767229200 })
  exp: number;

  @ApiProperty({ type: 'integer', description: 'Account id', example: 1 })
  sub: number;

  @ApiProperty({ type: String, description: 'Application name', example: 'pluto' })
  iss: string;

  @ApiProperty({ type: [String], example: ['pluto.user'] })
  scopes: string[];

  @ApiProperty({ type: String, description: 'Session id', example: '0N7XyqBMZPHe2hcL9UQmTw' })
  sid: string;
}

export function presentTokenPair(pair: TokenPair): TokenPairDto {
  return {
    access_token: pair.accessToken,
    access_token_expire_at: pair.accessTokenExpiresAt,
    refresh_token: pair.refreshToken,
    refresh_token_expire_at: pair.refreshTokenExpiresAt,
    type: 'Bearer',
  };
}
