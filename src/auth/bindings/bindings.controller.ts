import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal, FirstPartyOnly, RecentSignIn, type Principal } from '../../common/access.js';
import { CurrentCaller, type Caller } from '../../common/caller.js';
import { Operation, TOKEN_ERRORS } from '../../common/operation.js';
import { CurrentRequestContext, type RequestContext } from '../../common/request-context.js';
import { badRequest } from '../../common/validation.pipe.js';
import { LimitedByAddress } from '../../limits/address-limit.guard.js';
import { BindingsService } from './bindings.service.js';
import { BindDto, UnbindDto } from '../providers/provider-login.dto.js';

/** The field with the credential, by type. */
const credentialFields = { mail: 'mail', google: 'id_token', apple: 'code', wechat: 'code' } as const;

@ApiTags('User Management')
@FirstPartyOnly()
@Controller('v1/user')
export class BindingsController {
  constructor(private readonly bindings: BindingsService) {}

  @RecentSignIn()
  @Post('binding')
  @LimitedByAddress('provider-address')
  @HttpCode(200)
  @ApiBody({
    type: BindDto,
    description:
      '`mail` with the type mail, `id_token` with google, `code` with apple and wechat. A mail counts when the link ' +
      'that is sent to it has been used.',
  })
  @Operation({
    summary: 'Bind mail, google, wechat, apple account',
    description: 'Bind external accounts to the user profile',
    errors: [
      ...TOKEN_ERRORS,
      'forbidden',
      'signInAgain',
      'mailAlreadyRegistered',
      'bindExists',
      'invalidGoogleIdToken',
      'invalidAppleIdToken',
      'invalidWechatCode',
      'serviceUnavailable',
    ],
  })
  async bind(
    @CurrentPrincipal() principal: Principal,
    @Body() body: BindDto,
    @CurrentCaller() caller: Caller,
  ): Promise<void> {
    const field = credentialFields[body.type];
    const credential = body[field];
    if (credential === undefined) throw badRequest([`${field} is required for type ${body.type}`]);
    if (body.type === 'mail') await this.bindings.bindMail(principal, credential, caller);
    else await this.bindings.bindProvider(principal, body.type, credential, caller);
  }

  @RecentSignIn()
  @Post('unbinding')
  @HttpCode(200)
  @Operation({
    summary: 'Unbind mail, google, wechat, apple account',
    description: 'Remove external account binding from user profile',
    errors: [...TOKEN_ERRORS, 'forbidden', 'signInAgain', 'bindNotExist', 'cannotUnbindLast'],
  })
  async unbind(
    @CurrentPrincipal() principal: Principal,
    @Body() body: UnbindDto,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<void> {
    await this.bindings.unbind(principal, body.type, context);
  }
}
