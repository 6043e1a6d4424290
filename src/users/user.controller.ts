import { Body, Controller, Get, HttpCode, Param, Post, Put, Query } from '@nestjs/common';
import { ApiBody, ApiParam, ApiTags, getSchemaPath, ApiExtraModels } from '@nestjs/swagger';
import {
  AccessTokenOnly,
  CurrentPrincipal,
  FirstPartyOnly,
  Public,
  RecentSignIn,
  type Principal,
} from '../common/access.js';
import { NotCompressed } from '../common/http/compression.js';
import { BodyLimit } from '../common/http/route-options.js';
import { isHandle } from '../common/text-checks.js';
import { Operation, TOKEN_ERRORS } from '../common/operation.js';
import { CurrentRequestContext, type RequestContext } from '../common/request-context.js';
import { badRequest } from '../common/validation.pipe.js';
import { PlutoError } from '../common/errors.js';
import { AccountDeletionService } from './account-deletion.service.js';
import { AvatarsService } from './avatars.service.js';
import { ProfileService } from './profile.service.js';
import {
  PublicInfoByHandleQuery,
  PublicInfoQuery,
  PublicUserDto,
  UpdateUserInfoDto,
  UserInfoDto,
} from './user.dto.js';
import { presentPublicUser, presentUserInfo, type AvatarUrl } from './user.presenter.js';

/** Fits an avatar as base64. */
const PROFILE_BODY_LIMIT_BYTES = 3 * 1024 * 1024;

@ApiTags('User Management')
@ApiExtraModels(PublicUserDto)
@Controller('v1/user')
export class UserController {
  constructor(
    private readonly profiles: ProfileService,
    private readonly deletion: AccountDeletionService,
    private readonly avatars: AvatarsService,
  ) {}

  @AccessTokenOnly()
  @Get('info')
  @NotCompressed()
  @Operation({
    summary: 'Get user info',
    description: "Get current user's profile information",
    answer: UserInfoDto,
    errors: [...TOKEN_ERRORS],
  })
  async getInfo(@CurrentPrincipal() { userId, applicationName }: Principal): Promise<UserInfoDto> {
    return presentUserInfo(await this.profiles.get(userId), applicationName, this.avatarUrl);
  }

  @FirstPartyOnly()
  @Put('info')
  @BodyLimit(PROFILE_BODY_LIMIT_BYTES)
  @ApiBody({
    type: UpdateUserInfoDto,
    description:
      'At least one field. `avatar` may also be a JPEG or PNG as base64, with or without a `data:` prefix; ' +
      'an empty one removes the picture.',
  })
  @Operation({
    summary: 'Update user info',
    description: "Update current user's profile information",
    errors: [...TOKEN_ERRORS, 'forbidden', 'userIdExists', 'invalidAvatar'],
  })
  async updateInfo(
    @CurrentPrincipal() { userId }: Principal,
    @Body() body: UpdateUserInfoDto,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<void> {
    const { name, avatar, user_id: handle } = body;
    if (name === undefined && avatar === undefined && handle === undefined)
      throw badRequest(['name, avatar or user_id is required']);
    await this.profiles.update(userId, { name, avatar, handle }, context);
  }

  @Public()
  @Get('info/public')
  @Operation({
    summary: 'Get user public info like avatar, name',
    description: 'Get public user information',
    answer: {
      type: 'object',
      description: 'By id; ids of nobody are left out, also impossible ones',
      additionalProperties: { $ref: getSchemaPath(PublicUserDto) },
    },
  })
  async getPublicInfo(@Query() { ids }: PublicInfoQuery): Promise<Record<string, PublicUserDto>> {
    const users = await this.profiles.findPublic(ids);
    return Object.fromEntries(users.map((user) => [user.id, presentPublicUser(user, this.avatarUrl)]));
  }

  @Public()
  @Get('info/:userId/public')
  @ApiParam({ name: 'userId', description: 'User ID', schema: { type: 'string', example: 'ann' } })
  @Operation({
    summary: 'Get user public info like avatar, name by userId',
    description: 'Get public user information by user ID',
    answer: PublicUserDto,
    errors: ['userIdNotExist', 'applicationNotExist'],
  })
  async getPublicInfoByHandle(
    @Param('userId') typed: string,
    @Query() query: PublicInfoByHandleQuery,
  ): Promise<PublicUserDto> {
    const handle = typed.trim();
    if (!isHandle(handle)) throw new PlutoError('userIdNotExist');
    return presentPublicUser(await this.profiles.getPublicByHandle(handle, query.app_id), this.avatarUrl);
  }

  @FirstPartyOnly()
  @RecentSignIn()
  @Post('delete')
  @HttpCode(200)
  @Operation({
    summary: 'Delete user',
    description: 'Delete current user account',
    errors: [...TOKEN_ERRORS, 'forbidden', 'signInAgain'],
  })
  async delete(
    @CurrentPrincipal() { userId }: Principal,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<void> {
    await this.deletion.delete(userId, context);
  }

  private readonly avatarUrl: AvatarUrl = (user) => this.avatars.urlOf(user);
}
