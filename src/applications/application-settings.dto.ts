import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsOptional, ValidateBy } from 'class-validator';
import { Field, IDENTIFIER, ListField, nullAsAbsent } from '../common/fields.js';
import { isRedirectUrl, REDIRECT_URL_MAX } from '../common/redirect-urls.js';
import { isApplePrivateKey, isIdentifier, unfoldedPem } from '../common/text-checks.js';
import { EXAMPLE } from './example-ids.js';

const RECENT_SIGN_IN =
  'Whether binding, unbinding, deletion and changes of mail or password require a sign-in or reauthentication of the ' +
  'last ten minutes (else 3013)';
const URLS_MAX = 100;
const IDENTIFIER_MAX = 255;
const PROVIDER_ID_MAX = 64;
const SECRET_MAX = 255;
const PEM_MAX = 8192;
const APPLE_TEAM_ID = 'A1B2C3D4E5';
const APPLE_KEY_ID = 'F6G7H8J9K0';
const APPLE_CLIENT_ID = 'org.example.app';
const WECHAT_APP_ID = 'wx0123456789abcdef';
const WECHAT_WEB_APP_ID = 'wxfedcba9876543210';

function isAppleKey(value: unknown): boolean {
  return value === '' || (typeof value === 'string' && value.length <= PEM_MAX && isApplePrivateKey(value));
}

/** Secrets have an empty example: a realistic one could be mistaken for a real secret. */
function Optional(
  description: string,
  mustBe: string,
  validate: (value: unknown) => boolean,
  { example = '', ...limits }: { example?: string; maxLength: number; pattern?: string },
): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({
      type: String,
      ...limits,
      description: `${description}; left out: unchanged, empty: cleared`,
      example,
    }),
    IsOptional(),
    nullAsAbsent,
    ValidateBy({
      name: 'setting',
      validator: { validate, defaultMessage: () => `$property must be ${mustBe}` },
    }),
  );
}

const ProviderId = (description: string, example: string, max = PROVIDER_ID_MAX) =>
  Optional(description, `at most ${max} printable ASCII characters`, (value) => isIdentifier(value, 0, max), {
    example,
    maxLength: max,
    pattern: IDENTIFIER,
  });

const ProviderSecret = (description: string) =>
  Optional(
    `${description} (write-only)`,
    `at most ${SECRET_MAX} printable ASCII characters`,
    (value) => isIdentifier(value, 0, SECRET_MAX),
    { maxLength: SECRET_MAX, pattern: IDENTIFIER },
  );

export class ChangeApplicationSettingsDto {
  @Field('id', { description: 'Application ID', example: EXAMPLE.application })
  app_id: number;

  @ListField({
    description: 'URLs that sign-ins may return to; left out: unchanged, empty: none',
    max: URLS_MAX,
    mustBe: `an http(s) or app-scheme URL of at most ${REDIRECT_URL_MAX} characters without a fragment`,
    accepts: isRedirectUrl,
    items: { type: 'string', format: 'uri', maxLength: REDIRECT_URL_MAX },
    optional: true,
    example: ['https://example.com/signed-in'],
  })
  redirect_urls?: string[];

  @ListField({
    description: 'Audiences of accepted Google ID tokens; left out: unchanged, empty: those of the server',
    max: URLS_MAX,
    mustBe: `a client id of 1 to ${IDENTIFIER_MAX} printable ASCII characters`,
    accepts: (value) => isIdentifier(value, 1, IDENTIFIER_MAX),
    items: { type: 'string', minLength: 1, maxLength: IDENTIFIER_MAX, pattern: IDENTIFIER },
    optional: true,
    example: ['1234.apps.googleusercontent.com'],
  })
  google_client_ids?: string[];

  @ProviderId('Apple team id', APPLE_TEAM_ID)
  apple_team_id?: string;

  @ProviderId('Apple key id', APPLE_KEY_ID)
  apple_key_id?: string;

  @ProviderId('Apple client id (bundle or service id)', APPLE_CLIENT_ID, IDENTIFIER_MAX)
  apple_client_id?: string;

  @Optional(
    'Apple private key: the .p8 file (write-only)',
    'a P-256 private key as PKCS#8 PEM, as the .p8 file has it',
    isAppleKey,
    { maxLength: PEM_MAX },
  )
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? unfoldedPem(value) : value))
  apple_private_key?: string;

  @ProviderId('WeChat id of the mobile app', WECHAT_APP_ID)
  wechat_app_id?: string;

  @ProviderSecret('WeChat secret of the mobile app')
  wechat_app_secret?: string;

  @ProviderId('WeChat id of the website app', WECHAT_WEB_APP_ID)
  wechat_web_app_id?: string;

  @ProviderSecret('WeChat secret of the website app')
  wechat_web_app_secret?: string;

  @ApiPropertyOptional({
    type: Boolean,
    description: `${RECENT_SIGN_IN}; left out: unchanged`,
    example: true,
  })
  @IsOptional()
  @nullAsAbsent
  @ValidateBy({
    name: 'setting',
    validator: {
      validate: (value) => typeof value === 'boolean',
      defaultMessage: () => '$property must be true or false',
    },
  })
  require_recent_sign_in?: boolean;
}

export class ApplicationSettingsDto {
  @ApiProperty({ type: 'integer', description: 'Application ID', example: 1 })
  app_id: number;

  @ApiProperty({
    type: [String],
    description: 'URLs that sign-ins may return to',
    example: ['https://example.com/signed-in'],
  })
  redirect_urls: string[];

  @ApiProperty({
    type: [String],
    description: 'Audiences of accepted Google ID tokens; empty: those of the server',
    example: ['1234.apps.googleusercontent.com'],
  })
  google_client_ids: string[];

  @ApiProperty({ type: String, description: 'Apple team id', example: APPLE_TEAM_ID })
  apple_team_id: string;

  @ApiProperty({ type: String, description: 'Apple key id', example: APPLE_KEY_ID })
  apple_key_id: string;

  @ApiProperty({
    type: String,
    description: 'Apple client id (bundle or service id)',
    example: APPLE_CLIENT_ID,
  })
  apple_client_id: string;

  @ApiProperty({
    type: Boolean,
    description: 'Whether a private key is stored; it is never shown',
    example: true,
  })
  apple_private_key_set: boolean;

  @ApiProperty({ type: String, description: 'WeChat id of the mobile app', example: WECHAT_APP_ID })
  wechat_app_id: string;

  @ApiProperty({
    type: Boolean,
    description: 'Whether a secret is stored; it is never shown',
    example: true,
  })
  wechat_app_secret_set: boolean;

  @ApiProperty({ type: String, description: 'WeChat id of the website app', example: WECHAT_WEB_APP_ID })
  wechat_web_app_id: string;

  @ApiProperty({
    type: Boolean,
    description: 'Whether a secret is stored; it is never shown',
    example: true,
  })
  wechat_web_app_secret_set: boolean;

  @ApiProperty({ type: Boolean, description: RECENT_SIGN_IN, example: false })
  require_recent_sign_in: boolean;
}
