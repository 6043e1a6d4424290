import { ApiProperty } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsObject, ValidateBy, ValidateNested } from 'class-validator';
import { Field, ListField, QueryId } from '../common/fields.js';
import { isId } from '../common/text-checks.js';
import { canonicalLanguageTag } from '../common/languages.js';
import { EXAMPLE } from './example-ids.js';

const SCOPES_MAX = 1000;
const NAMES_MAX = 100;

export class CreateRoleDto {
  @Field('id', { description: 'Application ID', example: EXAMPLE.application })
  app_id: number;

  @Field('roleName', { description: 'Role name' })
  name: string;
}

export class CreateScopeDto {
  @Field('id', { description: 'Application ID', example: EXAMPLE.application })
  app_id: number;

  @Field('scopeName', { description: 'Scope name' })
  name: string;
}

export class RoleScopesDto {
  @Field('id', { description: 'Role ID', example: EXAMPLE.role })
  role_id: number;

  @ListField({
    description: 'Array of scope IDs',
    max: SCOPES_MAX,
    takes: 'a positive 32-bit integer',
    accepts: isId,
    items: { type: 'integer' },
    example: [EXAMPLE.scope],
  })
  scopes: number[];
}

export class DefaultScopeDto {
  @Field('id', { description: 'Role ID', example: EXAMPLE.role })
  role_id: number;

  @Field('id', { description: 'Scope ID', example: EXAMPLE.scope })
  scope_id: number;
}

export class CreateApplicationDto {
  @Field('newAppName', { description: 'Application name' })
  name: string;
}

export class LocalizedNameDto {
  @ApiProperty({ type: String, description: 'Language, BCP 47', maxLength: 64, example: 'ja' })
  @ValidateBy({
    name: 'tag',
    validator: {
      validate: (tag) => typeof tag === 'string' && canonicalLanguageTag(tag) !== null,
      defaultMessage: () => '$property takes a BCP 47 language tag of at most 64 characters',
    },
  })
  tag: string;

  @Field('newAppName', {
    description: 'What the application is called in that language',
    example: 'サンプル',
  })
  i18n_name: string;
}

export class LocalizedNamesDto {
  @Field('id', { description: 'Application ID', example: EXAMPLE.application })
  app_id: number;

  @ApiProperty({
    type: [LocalizedNameDto],
    description: 'Internationalized names; they replace those there were',
  })
  @IsArray({ message: '$property takes a list of names' })
  @ArrayMaxSize(NAMES_MAX, { message: `$property takes at most ${NAMES_MAX} names` })
  // ValidateNested lets null pass, and looks into lists for the objects in them.
  @IsObject({ each: true, message: '$property takes objects with tag and i18n_name' })
  @ValidateNested({ each: true })
  @Type(() => LocalizedNameDto)
  i18n_names: LocalizedNameDto[];
}

export class DefaultRoleDto {
  @Field('id', { description: 'Application ID', example: EXAMPLE.application })
  app_id: number;

  @Field('id', { description: 'Role ID', example: EXAMPLE.role })
  role_id: number;
}

export class ApplicationQuery {
  @QueryId({ description: 'Application ID' })
  app_id: number;
}

export class ApplicationDto {
  @ApiProperty({ type: 'integer', description: 'Application ID', example: 1 })
  id: number;

  @ApiProperty({ type: String, description: 'Application name', example: 'pluto' })
  name: string;

  @ApiProperty({
    type: 'integer',
    nullable: true,
    description: 'Id of the default role; null for none',
    example: 2,
  })
  default_role: number | null;
}

export class RoleDto {
  @ApiProperty({ type: 'integer', description: 'Role ID', example: EXAMPLE.role })
  id: number;

  @ApiProperty({ type: 'integer', description: 'Application ID', example: EXAMPLE.application })
  app_id: number;

  @ApiProperty({ type: String, description: 'Role name', example: 'editor' })
  name: string;
}

export class CreatedScopeDto {
  @ApiProperty({ type: 'integer', description: 'Scope ID', example: EXAMPLE.scope })
  id: number;

  @ApiProperty({ type: 'integer', description: 'Application ID', example: EXAMPLE.application })
  app_id: number;

  @ApiProperty({ type: String, description: 'Scope name', example: 'articles.write' })
  name: string;
}

export class ScopeDto {
  @ApiProperty({ type: 'integer', description: 'Scope ID', example: 2 })
  id: number;

  @ApiProperty({ type: String, description: 'Scope name', example: 'pluto.user' })
  name: string;
}

export class RoleWithScopesDto {
  @ApiProperty({ type: 'integer', description: 'Role ID', example: 2 })
  id: number;

  @ApiProperty({ type: String, description: 'Role name', example: 'user' })
  name: string;

  @ApiProperty({
    type: 'integer',
    nullable: true,
    description: 'Id of the default scope; null for none',
    example: 2,
  })
  default_scope: number | null;

  @ApiProperty({ type: [ScopeDto], description: 'The scopes that the role may be granted' })
  scopes: ScopeDto[];
}

export class RoleListDto {
  @ApiProperty({ type: ApplicationDto, description: 'The application asked for' })
  application: ApplicationDto;

  @ApiProperty({ type: [RoleWithScopesDto], description: 'Its roles' })
  roles: RoleWithScopesDto[];
}

export class ScopeListDto {
  @ApiProperty({ type: ApplicationDto, description: 'The application asked for' })
  application: ApplicationDto;

  @ApiProperty({ type: [ScopeDto], description: 'Its scopes' })
  scopes: ScopeDto[];
}

export class ApplicationNamesDto {
  @ApiProperty({ type: 'integer', description: 'Application ID', example: 1 })
  app_id: number;

  @ApiProperty({ type: String, description: 'Application name', example: 'pluto' })
  app_name: string;

  @ApiProperty({ type: [LocalizedNameDto], description: 'What it is called in other languages' })
  i18n_names: LocalizedNameDto[];
}
