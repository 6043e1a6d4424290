import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal, FirstPartyOnly, RecentSignIn, type Principal } from '../../common/access.js';
import { CurrentCaller, type Caller } from '../../common/caller.js';
import { Operation, TOKEN_ERRORS } from '../../common/operation.js';
import { LimitedByAddress } from '../../limits/address-limit.guard.js';
import { ChangeMailDto } from './mail-change.dto.js';
import { MailChangesService } from './mail-changes.service.js';

@ApiTags('User Management')
@FirstPartyOnly()
@Controller('v1/user/mail')
export class MailChangeController {
  constructor(private readonly changes: MailChangesService) {}

  @RecentSignIn()
  @Post('change')
  @LimitedByAddress('mail-address')
  @HttpCode(200)
  @Operation({
    summary: 'Change the mail address',
    description:
      'Send a link to the new address; the present one stays until the link is used, is told, and can undo the change ' +
      'for seven days. A later request replaces an earlier one',
    errors: [
      ...TOKEN_ERRORS,
      'forbidden',
      'signInAgain',
      'bindNotExist',
      'bindExists',
      'mailAlreadyRegistered',
    ],
  })
  async change(
    @CurrentPrincipal() principal: Principal,
    @Body() { mail }: ChangeMailDto,
    @CurrentCaller() caller: Caller,
  ): Promise<void> {
    await this.changes.request(principal, mail, caller);
  }
}
