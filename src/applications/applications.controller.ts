import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { AdminOnly, Public } from '../common/access.js';
import { canonicalLanguageTag } from '../common/languages.js';
import { ADMIN_ERRORS, Operation } from '../common/operation.js';
import { CurrentRequestContext, type RequestContext } from '../common/request-context.js';
import { badRequest } from '../common/validation.pipe.js';
import { Settings } from '../config/settings.js';
import { ApplicationNamesService, type LocalizedName } from './application-names.service.js';
import { ApplicationsService } from './applications.service.js';
import {
  ApplicationDto,
  ApplicationNamesDto,
  ApplicationQuery,
  CreateApplicationDto,
  LocalizedNamesDto,
  type LocalizedNameDto,
} from './applications.dto.js';
import { presentApplication, presentNames } from './applications.presenter.js';

@ApiTags('RBAC Management')
@Controller('v1/rbac/application')
export class ApplicationsController {
  constructor(
    private readonly applications: ApplicationsService,
    private readonly names: ApplicationNamesService,
    private readonly settings: Settings,
  ) {}

  @AdminOnly()
  @Post('create')
  @HttpCode(200)
  @Operation({
    summary: 'Create application',
    description: 'Create a new application',
    answer: ApplicationDto,
    errors: [...ADMIN_ERRORS, 'applicationExists'],
  })
  async create(
    @Body() body: CreateApplicationDto,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<ApplicationDto> {
    return presentApplication(await this.applications.create(body.name, context));
  }

  @AdminOnly()
  @Post('update-i18n-name')
  @HttpCode(200)
  @Operation({
    summary: 'Update application i18n name',
    description: 'Update internationalized names for the application',
    errors: [...ADMIN_ERRORS, 'applicationNotExist'],
  })
  async replaceNames(
    @Body() body: LocalizedNamesDto,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<void> {
    await this.names.replace(body.app_id, readNames(body.i18n_names), context);
  }

  @AdminOnly()
  @Get('i18n-name')
  @Operation({
    summary: 'get application i18n name',
    description: 'Get internationalized name for the application',
    answer: ApplicationNamesDto,
    errors: [...ADMIN_ERRORS, 'applicationNotExist'],
  })
  async getNames(@Query() query: ApplicationQuery): Promise<ApplicationNamesDto> {
    const { application, names } = await this.names.get(query.app_id);
    return presentNames(application, names);
  }

  @Public()
  @Get('list')
  @Operation({
    summary: 'List all the applications',
    description: 'Get a list of all applications',
    answer: [ApplicationDto],
  })
  async list(): Promise<ApplicationDto[] | { applications: ApplicationDto[] }> {
    const applications = (await this.applications.list()).map(presentApplication);
    // The old admin app reads `body.applications`.
    return this.settings.legacyAdmin ? { applications } : applications;
  }
}

/** Converts tags to canonical form, in which each may occur only once. */
function readNames(names: LocalizedNameDto[]): LocalizedName[] {
  const read = names.map(({ tag, i18n_name: name }) => ({
    tag: canonicalLanguageTag(tag) ?? tag,
    name,
  }));
  if (new Set(read.map(({ tag }) => tag)).size < read.length)
    throw badRequest(['i18n_names must contain each language only once']);
  return read;
}
