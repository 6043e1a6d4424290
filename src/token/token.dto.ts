import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Field } from '../common/fields.js';
import type { AccessClaims } from './access-claims.js';

export const ACCESS_TOKEN_EXAMPLE = 'eyJhbGciOiJSUzI1NiJ9.eyJ0eXBlIjoiYWNjZXNzIn0.c2ln';
export const REFRESH_TOKEN_EXAMPLE = 'Jq0s3kZ5v0cU9nF2m1bq7uYwXg4hT6eR8aKpLdVzQ_M';

export class RefreshDto {
  @Field('token', { description: 'Refresh token', example: REFRESH_TOKEN_EXAMPLE })
  refresh_token: string;

  @Field('appName', { description: 'Application ID' })
  app_id: string;

  @Field('scopes', { description: 'Requested scopes', optional: true })
  scopes?: string;

  @Field('deviceId', {
    description:
      'Device identifier, as at login. If given, an exchanged token that comes again from another device ends the session',
    optional: true,
  })
  device_id?: string;
}

export class TokenPairDto {
  @ApiProperty({ type: String, description: 'JWT, RS256', example: ACCESS_TOKEN_EXAMPLE })
  access_token: string;

  @ApiProperty({
    type: 'integer',
    description: 'When the access token expires, Unix seconds',
    example: 1767229200,
  })
  access_token_expire_at: number;

  @ApiProperty({
    type: String,
    description: 'Opaque; good for one exchange',
    example: REFRESH_TOKEN_EXAMPLE,
  })
  refresh_token: string;

  @ApiProperty({
    type: 'integer',
    description: 'When the refresh token expires, Unix seconds',
    example: 1769644800,
  })
  refresh_token_expire_at: number;

  @ApiProperty({ enum: ['Bearer'], description: 'How the access token is sent: `Authorization: Bearer …`' })
  type: 'Bearer';
}

export class PublicKeyDto {
  @ApiProperty({
    type: String,
    description: 'PEM, SubjectPublicKeyInfo',
    example: '-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkq…IDAQAB\n-----END PUBLIC KEY-----\n',
  })
  public_key: string;
}

export class AccessClaimsDto implements AccessClaims {
  @ApiProperty({ enum: ['access'], description: 'The kind of token' })
  type: 'access';

  @ApiProperty({ type: 'integer', description: 'Issued at, Unix seconds', example: 1767225600 })
  iat: number;

  @ApiProperty({ type: 'integer', description: 'Expires at, Unix seconds', example: 1767229200 })
  exp: number;

  @ApiProperty({ type: 'integer', description: 'Account id', example: 1 })
  sub: number;

  @ApiProperty({ type: String, description: 'Application name', example: 'pluto' })
  iss: string;

  @ApiProperty({ type: [String], description: 'Granted scopes; empty for none', example: ['pluto.user'] })
  scopes: string[];

  @ApiProperty({ type: String, description: 'Session id', example: '0N7XyqBMZPHe2hcL9UQmTw' })
  sid: string;

  @ApiPropertyOptional({ type: String, description: 'The OAuth client that got the token', example: 'desk' })
  client_id?: string;
}

class JsonWebKeyDto {
  @ApiProperty({ type: String, enum: ['RSA'], description: 'Key type' })
  kty: string;

  @ApiProperty({ type: String, enum: ['RS256'], description: 'Algorithm of the signatures' })
  alg: string;

  @ApiProperty({ type: String, enum: ['sig'], description: 'Use of the key: signatures' })
  use: string;

  @ApiProperty({
    type: String,
    description: 'Key id, as in the header of the tokens that it signs',
    example: 'pZ3zVn2e1qU',
  })
  kid: string;

  @ApiProperty({
    type: String,
    description: 'Modulus, base64url',
    example: 'u1SU1LfVLPHCozMxH2Mo4lgOEePzNm0t',
  })
  n: string;

  @ApiProperty({ type: String, description: 'Exponent, base64url', example: 'AQAB' })
  e: string;
}

export class KeySetDto {
  @ApiProperty({
    type: [JsonWebKeyDto],
    description: 'The next key is listed before it signs, the last one until its tokens have expired',
  })
  keys: JsonWebKeyDto[];
}
