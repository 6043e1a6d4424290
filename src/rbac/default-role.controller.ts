import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { AdminOnly } from '../common/access.js';
import { ADMIN_ERRORS, Operation } from '../common/operation.js';
import { CurrentRequestContext, type RequestContext } from '../common/request-context.js';
import { DefaultRoleService } from './default-role.service.js';
import { DefaultRoleDto } from './rbac.dto.js';

@ApiTags('RBAC Management')
@Controller('v1/rbac/application/role')
export class DefaultRoleController {
  constructor(private readonly defaultRoles: DefaultRoleService) {}

  @AdminOnly()
  @Post('default')
  @HttpCode(200)
  @Operation({
    summary: 'Set the default role of the application',
    description: 'Set the default role for an application',
    errors: [...ADMIN_ERRORS, 'applicationNotExist', 'roleNotExist', 'forbidden'],
  })
  async setDefaultRole(
    @Body() body: DefaultRoleDto,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<void> {
    await this.defaultRoles.set(body.app_id, body.role_id, context);
  }
}
