import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { ApplicationQuery } from '../applications/applications.dto.js';
import { presentApplication } from '../applications/applications.presenter.js';
import { AdminOnly, Public } from '../common/access.js';
import { ADMIN_ERRORS, Operation } from '../common/operation.js';
import { CurrentRequestContext, type RequestContext } from '../common/request-context.js';
import { CreatedScopeDto, CreateScopeDto, ScopeListDto } from './rbac.dto.js';
import { presentCreated, presentScope } from './rbac.presenter.js';
import { ScopesService } from './scopes.service.js';

@ApiTags('RBAC Management')
@Controller('v1/rbac/scope')
export class ScopesController {
  constructor(private readonly scopes: ScopesService) {}

  @AdminOnly()
  @Post('create')
  @HttpCode(200)
  @Operation({
    summary: 'Create scope',
    description: 'Create a new scope in the application',
    answer: CreatedScopeDto,
    errors: [...ADMIN_ERRORS, 'applicationNotExist', 'scopeExists'],
  })
  async create(
    @Body() body: CreateScopeDto,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<CreatedScopeDto> {
    return presentCreated(await this.scopes.create(body.app_id, body.name, context));
  }

  @Public()
  @Get('list')
  @Operation({
    summary: 'List all the scopes in the application',
    description: 'Get a list of all scopes in a specific application',
    answer: ScopeListDto,
    errors: ['applicationNotExist'],
  })
  async list(@Query() query: ApplicationQuery): Promise<ScopeListDto> {
    const { application, scopes } = await this.scopes.list(query.app_id);
    return { application: presentApplication(application), scopes: scopes.map(presentScope) };
  }
}
