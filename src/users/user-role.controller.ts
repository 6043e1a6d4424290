import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { AdminOnly } from '../common/access.js';
import { Field } from '../common/fields.js';
import { ADMIN_ERRORS, Operation } from '../common/operation.js';
import { CurrentRequestContext, type RequestContext } from '../common/request-context.js';
import { EXAMPLE } from '../applications/example-ids.js';
import { UserRoleAssignmentService } from './user-role-assignment.service.js';

class UserRoleDto {
  @Field('id', { description: 'User ID', example: EXAMPLE.account })
  user_id: number;

  @Field('id', { description: 'Application ID', example: EXAMPLE.application })
  app_id: number;

  @Field('id', { description: 'Role ID', example: EXAMPLE.role })
  role_id: number;
}

@ApiTags('RBAC Management')
@Controller('v1/rbac/user/application')
export class UserRoleController {
  constructor(private readonly assignments: UserRoleAssignmentService) {}

  @AdminOnly()
  @Post('role')
  @HttpCode(200)
  @Operation({
    summary: 'Set the role of a user in application',
    description: 'Assign a role to a user for a specific application',
    errors: [
      ...ADMIN_ERRORS,
      'userNotExist',
      'applicationNotExist',
      'roleNotExist',
      'mailNotVerified',
      'forbidden',
    ],
  })
  async assign(@Body() body: UserRoleDto, @CurrentRequestContext() context: RequestContext): Promise<void> {
    await this.assignments.assign(body.user_id, body.app_id, body.role_id, context);
  }
}
