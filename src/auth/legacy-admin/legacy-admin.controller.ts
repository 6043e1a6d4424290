import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { AdminOnly } from '../../common/access.js';
import { CurrentRequestContext, type RequestContext } from '../../common/request-context.js';
import { RoleScopesDto } from '../../rbac/rbac.dto.js';
import { RolesService } from '../../rbac/roles.service.js';

/** The routes of 2020 that the old admin app still calls. */
@ApiExcludeController()
@Controller('v1/rbac/role')
export class LegacyAdminController {
  constructor(private readonly roles: RolesService) {}

  @AdminOnly()
  @Post('scope/batch')
  @HttpCode(200)
  async replaceScopes(
    @Body() body: RoleScopesDto,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<void> {
    await this.roles.replaceScopes(body.role_id, { scopeIds: body.scopes }, context);
  }
}
