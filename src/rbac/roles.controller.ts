import { Body, Controller, Get, HttpCode, Post, Put, Query } from '@nestjs/common';
import { ApiExcludeEndpoint, ApiTags } from '@nestjs/swagger';
import { ApplicationQuery } from '../applications/applications.dto.js';
import { presentApplication } from '../applications/applications.presenter.js';
import { AdminOnly, Public } from '../common/access.js';
import { ADMIN_ERRORS, Operation } from '../common/operation.js';
import { CurrentRequestContext, type RequestContext } from '../common/request-context.js';
import { CreateRoleDto, DefaultScopeDto, RoleDto, RoleListDto, RoleScopesDto } from './rbac.dto.js';
import { presentCreated, presentRole } from './rbac.presenter.js';
import { RolesService } from './roles.service.js';

@ApiTags('RBAC Management')
@Controller('v1/rbac/role')
export class RolesController {
  constructor(private readonly roles: RolesService) {}

  @AdminOnly()
  @Post('create')
  @HttpCode(200)
  @Operation({
    summary: 'Create role',
    description: 'Create a new role in the application',
    answer: RoleDto,
    errors: [...ADMIN_ERRORS, 'applicationNotExist', 'roleExists'],
  })
  async create(
    @Body() body: CreateRoleDto,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<RoleDto> {
    return presentCreated(await this.roles.create(body.app_id, body.name, context));
  }

  @AdminOnly()
  @Put('scope')
  @Operation({
    summary: 'Update scopes of the role',
    description: 'Update the scopes assigned to a role',
    errors: [...ADMIN_ERRORS, 'roleNotExist', 'scopeNotExist', 'forbidden'],
  })
  async replaceScopes(
    @Body() body: RoleScopesDto,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<void> {
    await this.roles.replaceScopes(body.role_id, { scopeIds: body.scopes }, context);
  }

  /** The admin app uses this method. */
  @AdminOnly()
  @Post('scope')
  @HttpCode(200)
  @ApiExcludeEndpoint()
  async replaceScopesByPost(
    @Body() body: RoleScopesDto,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<void> {
    await this.replaceScopes(body, context);
  }

  @AdminOnly()
  @Put('scope/default')
  @Operation({
    summary: 'Set the default scope of the role',
    description: 'Set the default scope for a role',
    errors: [...ADMIN_ERRORS, 'roleNotExist', 'scopeNotExist'],
  })
  async setDefaultScope(
    @Body() body: DefaultScopeDto,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<void> {
    await this.roles.setDefaultScope(body.role_id, body.scope_id, context);
  }

  /** The admin app uses this method. */
  @AdminOnly()
  @Post('scope/default')
  @HttpCode(200)
  @ApiExcludeEndpoint()
  async setDefaultScopeByPost(
    @Body() body: DefaultScopeDto,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<void> {
    await this.setDefaultScope(body, context);
  }

  @Public()
  @Get('list')
  @Operation({
    summary: 'List all the roles in the application',
    description: 'Get a list of all roles in a specific application',
    answer: RoleListDto,
    errors: ['applicationNotExist'],
  })
  async list(@Query() query: ApplicationQuery): Promise<RoleListDto> {
    const { application, roles } = await this.roles.list(query.app_id);
    return { application: presentApplication(application), roles: roles.map(presentRole) };
  }
}
