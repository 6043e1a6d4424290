import { ApiProperty } from '@nestjs/swagger';
import { ApplicationDto } from '../applications/applications.dto.js';
import { Field, ListField } from '../common/fields.js';
import { INT32_MAX, isId } from '../common/text-checks.js';
import { EXAMPLE } from '../applications/example-ids.js';

const SCOPES_MAX = 1000;

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
    mustBe: 'a positive 32-bit integer',
    accepts: isId,
    items: { type: 'integer', minimum: 1, maximum: INT32_MAX },
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

export class DefaultRoleDto {
  @Field('id', { description: 'Application ID', example: EXAMPLE.application })
  app_id: number;

  @Field('id', { description: 'Role ID', example: EXAMPLE.role })
  role_id: number;
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
