import { ApiHideProperty, ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Expose, Transform } from 'class-transformer';
import { Allow, ArrayMaxSize } from 'class-validator';
import { Field } from '../common/fields.js';
import { isId } from '../common/text-checks.js';
import { FIRST_ADMINISTRATOR } from './first-administrator.js';
import type { LoginType } from './identity.entity.js';

const PUBLIC_IDS_MAX = 1000;

/** The examples are the first administrator's values, so that sending them unchanged renames nobody. */
export class UpdateUserInfoDto {
  @Field('userName', { description: 'User display name', optional: true, example: FIRST_ADMINISTRATOR.name })
  name?: string;

  @Field('avatar', { description: 'User avatar URL', optional: true, example: '' })
  avatar?: string;

  @Field('handle', { description: 'User ID', optional: true, example: FIRST_ADMINISTRATOR.handle })
  user_id?: string;
}

export class PublicInfoQuery {
  @ApiPropertyOptional({
    description: 'User IDs to fetch',
    type: [String],
    maxItems: PUBLIC_IDS_MAX,
    example: ['1', '2'],
  })
  @Expose()
  @Transform(({ obj }) => readIds(obj as PublicInfoRequest))
  @ArrayMaxSize(PUBLIC_IDS_MAX, { message: `$property must have at most ${PUBLIC_IDS_MAX} ids` })
  ids: number[];

  /** As PHP and some JavaScript libraries spell a list. */
  @Allow()
  @ApiHideProperty()
  'ids[]'?: unknown;
}

export class PublicInfoByHandleQuery {
  @Field('appName', { description: 'Application ID; narrows the search to that application', optional: true })
  app_id?: string;
}

export class BindingDto {
  @ApiProperty({
    enum: ['mail', 'google', 'apple', 'wechat'],
    description: 'How this account can be signed in to',
  })
  login_type: LoginType;

  @ApiProperty({
    type: String,
    description: 'Mail of the bound account; empty where its provider tells none',
    example: 'ann@example.com',
  })
  mail: string;
}

export class PublicUserDto {
  @ApiProperty({ type: 'integer', description: 'Account id', example: 1 })
  id: number;

  @ApiProperty({ type: String, description: 'User display name', example: 'Ann' })
  name: string;

  @ApiProperty({
    type: String,
    description: 'URL of the picture; empty for none',
    example: 'https://example.com/ann.png',
  })
  avatar: string;
}

export class UserInfoDto {
  @ApiProperty({ type: 'integer', description: 'Account id', example: 1 })
  sub: number;

  @ApiProperty({ type: String, description: 'Public handle', example: 'ann' })
  user_id: string;

  @ApiProperty({
    type: Boolean,
    description: 'Whether the user has chosen the handle; false while it is one that the server made up',
    example: true,
  })
  user_id_updated: boolean;

  @ApiProperty({ type: String, description: 'User display name', example: 'Ann' })
  name: string;

  @ApiProperty({
    type: String,
    description: 'URL of the picture; empty for none',
    example: 'https://example.com/ann.png',
  })
  avatar: string;

  @ApiProperty({
    type: String,
    description: 'User email address; empty where none is bound',
    example: 'ann@example.com',
  })
  mail: string;

  @ApiProperty({
    type: String,
    description: 'Name of the role in the application; empty for none',
    example: 'user',
  })
  role: string;

  @ApiProperty({ type: String, description: 'Application ID', example: 'pluto' })
  app_id: string;

  @ApiProperty({ type: Boolean, description: 'Whether the mail is confirmed', example: true })
  verified: boolean;

  @ApiProperty({ type: 'integer', description: 'When it registered, Unix seconds', example: 1767225600 })
  created_at: number;

  @ApiProperty({
    type: 'integer',
    description: 'Last change of the profile, Unix seconds',
    example: 1767225600,
  })
  updated_at: number;

  @ApiProperty({
    type: Boolean,
    description: 'Whether there is a password to sign in with',
    example: true,
  })
  is_password_set: boolean;

  @ApiProperty({ type: [BindingDto], description: 'The ways to sign in to this account' })
  bindings: BindingDto[];
}

interface PublicInfoRequest {
  ids?: unknown;
  'ids[]'?: unknown;
}

/** The possible ids of `ids=1&ids=2`, `ids=1,2` and `ids[]=1&ids[]=2`, each once. */
function readIds({ ids, 'ids[]': listed }: PublicInfoRequest): number[] {
  const texts = [ids, listed]
    .flat()
    .flatMap((text) => (typeof text === 'string' ? text.split(',') : []))
    .map((text) => text.trim());
  const possible = texts
    .filter((text) => /^\d{1,10}$/.test(text))
    .map(Number)
    .filter(isId);
  return [...new Set(possible)];
}
