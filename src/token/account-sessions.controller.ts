import { Body, Controller, Get, Headers, HttpCode, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal, FirstPartyOnly, Public, type Principal } from '../common/access.js';
import { Operation, TOKEN_ERRORS } from '../common/operation.js';
import { CurrentRequestContext, type RequestContext } from '../common/request-context.js';
import { LimitedByAddress } from '../limits/address-limit.guard.js';
import { tokenFromHeader } from './access-token.strategy.js';
import { AccountSessions, type AccountSession } from './account-sessions.service.js';
import { AccountSessionListDto, EndedSessionsDto, EndSessionDto, LogoutDto } from './account-sessions.dto.js';

@ApiTags('User Management')
@Controller('v1/user')
export class AccountSessionsController {
  constructor(private readonly sessions: AccountSessions) {}

  @Public()
  @Post('logout')
  @LimitedByAddress('refresh-address')
  @HttpCode(200)
  @Operation({
    summary: 'Sign out',
    description:
      'End the session of a refresh token, or of the access token in the header, also an expired one. Always ' +
      'succeeds: also for tokens that are unknown, or whose session is gone',
  })
  async logout(
    @Body() { refresh_token: refreshToken }: LogoutDto,
    @Headers('authorization') authorization: string | undefined,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<void> {
    const accessToken = tokenFromHeader(authorization) ?? undefined;
    await this.sessions.logout({ refreshToken, accessToken }, context);
  }

  @FirstPartyOnly()
  @Get('session/list')
  @Operation({
    summary: 'List the sessions of the account',
    description: 'List where the account is signed in: apps, OAuth clients and browsers on the hosted pages',
    answer: AccountSessionListDto,
    errors: [...TOKEN_ERRORS, 'forbidden'],
  })
  async list(@CurrentPrincipal() { userId, sessionId }: Principal): Promise<AccountSessionListDto> {
    const sessions = await this.sessions.list(userId);
    return { sessions: sessions.map((session) => present(session, sessionId)) };
  }

  @FirstPartyOnly()
  @Post('session/end')
  @HttpCode(200)
  @Operation({
    summary: 'End a session of the account',
    description: 'End a session; its tokens are refused from now on',
    errors: [...TOKEN_ERRORS, 'forbidden', 'bindNotExist'],
  })
  async end(
    @CurrentPrincipal() principal: Principal,
    @Body() { id }: EndSessionDto,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<void> {
    await this.sessions.end(principal, id, context);
  }

  @FirstPartyOnly()
  @Post('session/end-others')
  @HttpCode(200)
  @Operation({
    summary: 'End the other sessions of the account',
    description: 'End all sessions of the account but the one of this request',
    answer: EndedSessionsDto,
    errors: [...TOKEN_ERRORS, 'forbidden'],
  })
  async endOthers(
    @CurrentPrincipal() principal: Principal,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<EndedSessionsDto> {
    return { ended: await this.sessions.endOthers(principal, context) };
  }
}

function present(session: AccountSession, currentId: string): AccountSessionListDto['sessions'][number] {
  const { id, kind, deviceId, userAgent, address, client, signedInBy, createdAt, lastUsedAt } = session;
  return {
    id,
    kind,
    device_id: deviceId,
    user_agent: userAgent,
    address,
    client,
    amr: amrOf(signedInBy),
    created_at: createdAt,
    last_used_at: lastUsedAt,
    current: id === currentId,
  };
}

/** RFC 8176 has a value for passwords, and none for providers. */
function amrOf(signedInBy: AccountSession['signedInBy']): string[] {
  if (signedInBy === '') return [];
  return [signedInBy === 'password' ? 'pwd' : signedInBy];
}
