import { Body, Controller, Get, Put, Query } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import { AdminOnly } from '../common/access.js';
import { ADMIN_ERRORS, Operation } from '../common/operation.js';
import { CurrentRequestContext, type RequestContext } from '../common/request-context.js';
import { ApplicationSettingsDto, ChangeApplicationSettingsDto } from './application-settings.dto.js';
import type { ApplicationSettings } from './application-settings.entity.js';
import { ApplicationSettingsService, type SettingsChange } from './application-settings.service.js';
import { EXAMPLE } from './example-ids.js';
import { ApplicationQuery } from './applications.dto.js';

@ApiTags('RBAC Management')
@AdminOnly()
@Controller('v1/rbac/application/settings')
export class ApplicationSettingsController {
  constructor(private readonly settings: ApplicationSettingsService) {}

  @Get()
  @Operation({
    summary: 'Get the settings of the application',
    description:
      'Get where sign-ins may return to, and the provider accounts of the application; never a secret',
    answer: ApplicationSettingsDto,
    errors: [...ADMIN_ERRORS, 'applicationNotExist'],
  })
  async get(@Query() query: ApplicationQuery): Promise<ApplicationSettingsDto> {
    return presentSettings(await this.settings.get(query.app_id));
  }

  @Put()
  @ApiBody({
    type: ChangeApplicationSettingsDto,
    description: 'The accounts at Apple and WeChat are set whole: ids together with their secrets.',
    examples: {
      redirectUrls: {
        summary: 'Where sign-ins may return to',
        value: { app_id: EXAMPLE.application, redirect_urls: ['https://example.com/signed-in'] },
      },
    },
  })
  @Operation({
    summary: 'Change the settings of the application',
    description: 'Set what is given: a field left out stays as it is, an empty one is cleared',
    answer: ApplicationSettingsDto,
    errors: [...ADMIN_ERRORS, 'applicationNotExist'],
  })
  async change(
    @Body() body: ChangeApplicationSettingsDto,
    @CurrentRequestContext() context: RequestContext,
  ): Promise<ApplicationSettingsDto> {
    return presentSettings(await this.settings.change(body.app_id, readChange(body), context));
  }
}

function readChange(body: ChangeApplicationSettingsDto): SettingsChange {
  const change = {
    redirectUrls: body.redirect_urls,
    googleClientIds: body.google_client_ids,
    appleTeamId: body.apple_team_id,
    appleKeyId: body.apple_key_id,
    appleClientId: body.apple_client_id,
    applePrivateKey: body.apple_private_key,
    wechatAppId: body.wechat_app_id,
    wechatAppSecret: body.wechat_app_secret,
    wechatWebAppId: body.wechat_web_app_id,
    wechatWebAppSecret: body.wechat_web_app_secret,
    requireRecentSignIn: body.require_recent_sign_in,
  };
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}

function presentSettings(settings: ApplicationSettings): ApplicationSettingsDto {
  return {
    app_id: settings.applicationId,
    redirect_urls: settings.redirectUrls,
    google_client_ids: settings.googleClientIds,
    apple_team_id: settings.appleTeamId,
    apple_key_id: settings.appleKeyId,
    apple_client_id: settings.appleClientId,
    apple_private_key_set: settings.sealedApplePrivateKey !== '',
    wechat_app_id: settings.wechatAppId,
    wechat_app_secret_set: settings.sealedWechatAppSecret !== '',
    wechat_web_app_id: settings.wechatWebAppId,
    wechat_web_app_secret_set: settings.sealedWechatWebAppSecret !== '',
    require_recent_sign_in: Boolean(settings.requireRecentSignIn),
  };
}
