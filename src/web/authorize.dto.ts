import { ApiHideProperty, ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Allow } from 'class-validator';
import { PageToken } from './page.js';

const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

/** Validated as a whole: some errors are reported to the client, others only to the user. */
export class AuthorizeQuery {
  @Allow()
  @ApiProperty({ type: String, description: 'Client key', example: 'desk' })
  client_id?: unknown;

  @Allow()
  @ApiProperty({ type: String, description: 'Application ID', example: 'pluto' })
  app_id?: unknown;

  @Allow()
  @ApiProperty({ type: String, description: 'As registered', example: 'https://client.example/back' })
  redirect_uri?: unknown;

  @Allow()
  @ApiProperty({ type: String, description: 'code or token', example: 'code' })
  response_type?: unknown;

  @Allow()
  @ApiPropertyOptional({ type: String, description: 'Given back as it is', example: 'af0ifjsldkj' })
  state?: unknown;

  @Allow()
  @ApiPropertyOptional({ type: String, description: 'Requested scopes', example: 'pluto.user' })
  scopes?: unknown;

  @Allow()
  @ApiPropertyOptional({
    type: String,
    description: 'The same by the name of RFC 6749',
    example: 'pluto.user',
  })
  scope?: unknown;

  @Allow()
  @ApiPropertyOptional({
    type: String,
    description: 'Lifetime of the access token in seconds, from 60 to 2592000',
    example: '3600',
  })
  life_time?: unknown;

  @Allow()
  @ApiPropertyOptional({ type: String, description: 'RFC 7636, S256', example: CHALLENGE })
  code_challenge?: unknown;

  @Allow()
  @ApiPropertyOptional({ type: String, enum: ['S256'], description: 'Needed with `code_challenge`' })
  code_challenge_method?: unknown;
}

export class AuthorizeForm {
  @PageToken()
  _csrf?: unknown;

  @Allow()
  @ApiProperty({ type: String, description: 'OAuth client ID', example: 'desk' })
  client_id?: unknown;

  @Allow()
  @ApiProperty({ type: String, description: 'Application ID', example: 'pluto' })
  app_id?: unknown;

  @Allow()
  @ApiPropertyOptional({
    type: String,
    format: 'uri',
    description: 'Redirect URI',
    example: 'https://client.example/back',
  })
  redirect_uri?: unknown;

  @Allow()
  @ApiProperty({ enum: ['code', 'token'], description: 'OAuth response type' })
  response_type?: unknown;

  @Allow()
  @ApiPropertyOptional({ type: String, description: 'State parameter', example: 'af0ifjsldkj' })
  state?: unknown;

  @Allow()
  @ApiPropertyOptional({ type: String, description: 'Requested scopes', example: 'pluto.user' })
  scopes?: unknown;

  @Allow()
  @ApiHideProperty()
  scope?: unknown;

  @Allow()
  @ApiPropertyOptional({
    type: 'integer',
    format: 'int64',
    description: 'Token lifetime in seconds',
    example: 3600,
  })
  life_time?: unknown;

  @Allow()
  @ApiPropertyOptional({ type: String, description: 'RFC 7636, S256', example: CHALLENGE })
  code_challenge?: unknown;

  @Allow()
  @ApiPropertyOptional({ type: String, enum: ['S256'], description: 'Needed with `code_challenge`' })
  code_challenge_method?: unknown;

  @Allow()
  @ApiPropertyOptional({ type: String, enum: ['allow', 'deny'], description: 'Which button was pressed' })
  decision?: unknown;
}

export class AuthorizedDto {
  @ApiProperty({
    type: String,
    description: 'Where to send the browser',
    example: 'https://client.example/back?code=Jq0s3kZ5v0cU9nF2m1bq7uYwXg4hT6eR8aKpLdVzQ_M',
  })
  redirect_uri: string;
}
