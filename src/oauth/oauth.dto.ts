import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Allow } from 'class-validator';
import { PLUTO } from '../applications/pluto-names.js';
import { Field, LINE, ListField } from '../common/fields.js';
import { isLine, PASSWORD_MAX_BYTES } from '../common/text-checks.js';
import { DEVICE_ID_MAX, PARAMETER_MAX } from './grants/grant.js';
import { EXAMPLE_CLIENT, EXAMPLE_OPAQUE, EXAMPLE_VERIFIER } from './examples.js';
import type { ClientStatus } from './oauth-client.entity.js';

export const grantTypes = ['authorization_code', 'password', 'client_credentials', 'refresh_token'] as const;
export type GrantType = (typeof grantTypes)[number];

const Parameter = (description: string, example: string, maxLength = PARAMETER_MAX): PropertyDecorator =>
  applyDecorators(Allow(), ApiPropertyOptional({ type: String, description, maxLength, example }));

/** Not validated here: the client must be authenticated first, then each grant validates its parameters. */
export class TokensDto {
  @Allow()
  @ApiProperty({ enum: grantTypes, description: 'OAuth grant type' })
  grant_type?: unknown;

  @Parameter('Authorization code (for authorization_code grant)', EXAMPLE_OPAQUE)
  code?: unknown;

  @Allow()
  @ApiPropertyOptional({
    type: String,
    format: 'uri',
    description: 'Redirect URI (for authorization_code grant)',
    example: EXAMPLE_CLIENT.redirectUri,
  })
  redirect_uri?: unknown;

  @Parameter('Verifier of the code challenge (RFC 7636), when one was sent', EXAMPLE_VERIFIER)
  code_verifier?: unknown;

  @Parameter('Requested scopes', 'pluto.user')
  scopes?: unknown;

  @Parameter('Requested scopes, by the name of RFC 6749', 'pluto.user')
  scope?: unknown;

  @Parameter('Application ID', 'pluto')
  app_id?: unknown;

  @Parameter('Device ID', 'phone-1', DEVICE_ID_MAX)
  device_id?: unknown;

  @Parameter('User password (for password grant)', 'correct horse', PASSWORD_MAX_BYTES)
  password?: unknown;

  @Parameter('Username (for password grant)', 'ann')
  user?: unknown;

  @Parameter(
    'IP address of the user (for password grant), taken from clients that TRUSTED_CLIENTS names',
    '192.0.2.7',
  )
  user_address?: unknown;

  @Parameter('Refresh token (for refresh_token grant)', EXAMPLE_OPAQUE)
  refresh_token?: unknown;

  @Parameter('Client key, where the client does not use HTTP Basic', EXAMPLE_CLIENT.key)
  client_id?: unknown;

  @Parameter('Client secret, where the client does not use HTTP Basic', EXAMPLE_CLIENT.secret)
  client_secret?: unknown;
}

export class CreateClientDto {
  @Field('clientKey', { description: 'Client key', example: EXAMPLE_CLIENT.key })
  key: string;

  @Field('clientSecret', {
    description: 'Client secret',
    example: EXAMPLE_CLIENT.secret,
    optional: true,
  })
  secret?: string;

  @Field('redirectUri', { description: 'Client redirect URI', example: EXAMPLE_CLIENT.redirectUri })
  redirect_uri: string;
}

export class ClientStatusDto {
  @Field('clientKey', { description: 'Client key', example: EXAMPLE_CLIENT.key })
  key: string;

  @Allow()
  @ApiProperty({ type: String, enum: ['approved', 'denied'], description: 'Client status' })
  status?: unknown;
}

const APPLICATIONS_MAX = 100;

export class ClientApplicationsDto {
  @Field('clientKey', { description: 'Client key', example: EXAMPLE_CLIENT.key })
  key: string;

  @ListField({
    description: 'Applications that the client may get tokens of its own for; replaces those before',
    max: APPLICATIONS_MAX,
    mustBe: 'the name of an application (1 to 100 characters)',
    accepts: (value) => isLine(value, 100),
    items: { type: 'string', minLength: 1, maxLength: 100, pattern: LINE },
    example: [PLUTO.application],
  })
  app_ids: string[];
}

class ClientNameDto {
  @ApiProperty({ type: String, description: 'Client key', example: EXAMPLE_CLIENT.key })
  key: string;

  @ApiProperty({ enum: ['pend', 'approved', 'denied'], description: 'Client status' })
  status: ClientStatus;
}

export class ChangedClientDto extends ClientNameDto {}

export class CreatedClientDto extends ClientNameDto {
  @ApiProperty({ type: String, description: 'Client redirect URI', example: EXAMPLE_CLIENT.redirectUri })
  redirect_uri: string;

  @ApiProperty({
    type: String,
    description: 'The secret as it was sent, or as Pluto made it when there was none; it is not shown again',
    example: EXAMPLE_CLIENT.secret,
  })
  origin_secret: string;
}

export class ChangedClientApplicationsDto {
  @ApiProperty({ type: String, description: 'Client key', example: EXAMPLE_CLIENT.key })
  key: string;

  @ApiProperty({ type: [String], description: 'Names of its applications', example: [PLUTO.application] })
  app_ids: string[];
}

// Not `Client`: Go's generators call the API client itself so.
export class OAuthClientDto extends ClientNameDto {
  @ApiProperty({ type: String, description: 'Client redirect URI', example: EXAMPLE_CLIENT.redirectUri })
  redirect_uri: string;

  @ApiProperty({
    type: 'integer',
    description: 'Who registered it; 0 once that account is deleted',
    example: 1,
  })
  user_id: number;

  @ApiProperty({
    type: [String],
    description: 'Names of the applications that it may get tokens of its own for',
    example: [PLUTO.application],
  })
  app_ids: string[];
}

export class ClientListDto {
  @ApiProperty({ type: [OAuthClientDto], description: 'Oldest first' })
  clients: OAuthClientDto[];
}
