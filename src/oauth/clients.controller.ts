import { Body, Controller, Get, HttpCode, Post, Put } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { AdminOnly, CurrentPrincipal, UserOnly, type Principal } from '../common/access.js';
import { randomToken } from '../common/crypto.js';
import { PlutoError } from '../common/errors.js';
import { ADMIN_ERRORS, Operation, TOKEN_ERRORS } from '../common/operation.js';
import { CurrentRequestContext, type RequestContext } from '../common/request-context.js';
import { PLUTO } from '../applications/pluto-names.js';
import { UserGrantsService } from '../rbac/user-grants.service.js';
import { ClientApplicationsService } from './client-applications.service.js';
import { ClientsService } from './clients.service.js';
import {
  ChangedClientApplicationsDto,
  ChangedClientDto,
  ClientApplicationsDto,
  ClientListDto,
  ClientStatusDto,
  CreateClientDto,
  CreatedClientDto,
} from './oauth.dto.js';
import { presentClient } from './client.presenter.js';

@ApiTags('OAuth')
@Controller('v1/oauth/client')
export class ClientsController {
  constructor(
    private readonly clients: ClientsService,
    private readonly clientApplications: ClientApplicationsService,
    private readonly grants: UserGrantsService,
  ) {}

  @UserOnly()
  @Get()
  @Operation({
    summary: 'Get clients',
    description: 'Get OAuth clients for the authenticated user',
    answer: ClientListDto,
    errors: [...TOKEN_ERRORS, 'notPlutoUser'],
  })
  async list(@CurrentPrincipal() principal: Principal): Promise<ClientListDto> {
    const isAll = await this.administers(principal);
    const clients = await this.clients.list(isAll ? undefined : principal.userId);
    const applications = await this.clientApplications.namesOf(clients);
    return { clients: clients.map((client) => presentClient(client, applications.get(client.id) ?? [])) };
  }

  @UserOnly()
  @Post()
  @HttpCode(200)
  @Operation({
    summary: 'Create client',
    description: 'Create a new OAuth client',
    answer: CreatedClientDto,
    errors: [...TOKEN_ERRORS, 'notPlutoUser', 'clientExists'],
  })
  async create(
    @CurrentPrincipal() { userId, applicationId }: Principal,
    @Body() body: CreateClientDto,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<CreatedClientDto> {
    const { key, secret = randomToken(), redirect_uri: redirectUri } = body;
    const client = await this.clients.create({ userId, applicationId, key, secret, redirectUri }, context);
    return { key, status: client.status, redirect_uri: redirectUri, origin_secret: secret };
  }

  @AdminOnly()
  @Put('status')
  @Operation({
    summary: 'Change the client status',
    description: 'Change the status of an OAuth client (admin only)',
    answer: ChangedClientDto,
    errors: [...ADMIN_ERRORS, 'clientNotFound', 'invalidClientStatus'],
  })
  async setStatus(
    @Body() { key, status }: ClientStatusDto,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<ChangedClientDto> {
    if (status !== 'approved' && status !== 'denied') throw new PlutoError('invalidClientStatus');
    await this.clients.setStatus(key, status, context);
    return { key, status };
  }

  @AdminOnly()
  @Put('application')
  @Operation({
    summary: 'Change the applications of a client',
    description: 'Replace the applications that an OAuth client may get tokens of its own for (admin only)',
    answer: ChangedClientApplicationsDto,
    errors: [...ADMIN_ERRORS, 'clientNotFound', 'applicationNotExist'],
  })
  async setApplications(
    @Body() { key, app_ids: names }: ClientApplicationsDto,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<ChangedClientApplicationsDto> {
    return { key, app_ids: await this.clientApplications.replace(key, names, context) };
  }

  /** Like the guard of administrator routes: the token has the scope, and the role still has it. */
  private async administers({ userId, applicationId, scopes }: Principal): Promise<boolean> {
    const { adminScope } = PLUTO;
    return scopes.includes(adminScope) && this.grants.holdsAny(userId, applicationId, [adminScope]);
  }
}
