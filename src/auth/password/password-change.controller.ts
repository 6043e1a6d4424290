import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal, FirstPartyOnly, RecentSignIn, type Principal } from '../../common/access.js';
import { CurrentCaller, type Caller } from '../../common/caller.js';
import { Field } from '../../common/fields.js';
import { Operation, TOKEN_ERRORS } from '../../common/operation.js';
import { LimitedByAddress } from '../../limits/address-limit.guard.js';
import { PasswordChangeService } from './password-change.service.js';

export class ChangePasswordDto {
  @Field('password', { description: 'The present password' })
  old_password: string;

  @Field('newPassword', { description: 'The new password', example: 'a battery staple' })
  new_password: string;
}

@ApiTags('User Management')
@FirstPartyOnly()
@Controller('v1/user')
export class PasswordChangeController {
  constructor(private readonly changes: PasswordChangeService) {}

  @RecentSignIn()
  @Post('password/change')
  @LimitedByAddress('login-address')
  @HttpCode(200)
  @Operation({
    summary: 'Change the password',
    description: 'Replace the password and end all other sessions of the account',
    errors: [
      ...TOKEN_ERRORS,
      'forbidden',
      'signInAgain',
      'passwordNotSet',
      'invalidPassword',
      'serviceUnavailable',
    ],
  })
  async change(
    @CurrentPrincipal() principal: Principal,
    @Body() { old_password: oldPassword, new_password: newPassword }: ChangePasswordDto,
    @CurrentCaller() caller: Caller,
  ): Promise<void> {
    await this.changes.change(principal, { oldPassword, newPassword }, caller);
  }
}
