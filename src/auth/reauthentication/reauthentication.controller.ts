import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal, FirstPartyOnly, type Principal } from '../../common/access.js';
import { CurrentCaller, type Caller } from '../../common/caller.js';
import { Operation, TOKEN_ERRORS } from '../../common/operation.js';
import { badRequest } from '../../common/validation.pipe.js';
import { LimitedByAddress } from '../../limits/address-limit.guard.js';
import { ReauthenticateDto } from './reauthentication.dto.js';
import { ReauthenticationService, type Proof } from './reauthentication.service.js';

@ApiTags('User Management')
@FirstPartyOnly()
@Controller('v1/user')
export class ReauthenticationController {
  constructor(private readonly reauthentications: ReauthenticationService) {}

  @Post('reauthenticate')
  @LimitedByAddress('login-address')
  @HttpCode(200)
  @ApiBody({
    type: ReauthenticateDto,
    description: '`password`, or `type` with `id_token` (google) or `code` (apple, wechat).',
    examples: { password: { summary: 'By password', value: { password: 'correct horse' } } },
  })
  @Operation({
    summary: 'Prove to be there again',
    description:
      'For ten minutes the session may do what requires a recent sign-in (3013): bind, unbind, delete the account, change ' +
      'mail or password',
    errors: [
      ...TOKEN_ERRORS,
      'forbidden',
      'passwordNotSet',
      'bindNotExist',
      'invalidPassword',
      'invalidGoogleIdToken',
      'invalidAppleIdToken',
      'invalidWechatCode',
      'serviceUnavailable',
    ],
  })
  async reauthenticate(
    @CurrentPrincipal() principal: Principal,
    @Body() body: ReauthenticateDto,
    @CurrentCaller() caller: Caller,
  ): Promise<void> {
    await this.reauthentications.reauthenticate(principal, proofOf(body), caller);
  }
}

function proofOf({ password, type, id_token: idToken, code }: ReauthenticateDto): Proof {
  if ((password === undefined) === (type === undefined))
    throw badRequest(['either password or type is required']);
  if (password !== undefined) return { password };
  if (type === undefined) throw badRequest(['type is required']);
  const [field, credential] = type === 'google' ? ['id_token', idToken] : ['code', code];
  if (credential === undefined) throw badRequest([`${field} is required for type ${type}`]);
  return { type, credential };
}
