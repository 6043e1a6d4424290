import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Allow } from 'class-validator';
import { Field } from '../../common/fields.js';
import type { LoginType } from '../../users/identity.entity.js';

export const ID_TOKEN_EXAMPLE = 'eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiIxIn0.c2ln';

export class GoogleLoginDto {
  @Field('token', { description: 'Google ID token', example: ID_TOKEN_EXAMPLE })
  id_token: string;

  @Field('deviceId', { description: 'Device identifier', optional: true })
  device_id?: string;

  @Field('appName', { description: 'Application ID' })
  app_id: string;
}

export class AppleLoginDto {
  @Field('code', { description: 'Apple authorization code' })
  code: string;

  @Field('deviceId', { description: 'Device identifier', optional: true })
  device_id?: string;

  @Field('appName', { description: 'Application ID' })
  app_id: string;

  /** Apple gives the app the name at the first login only, so an invalid one must not fail the login. */
  @Allow()
  @ApiPropertyOptional({
    type: String,
    description:
      'Name that Apple told the app, as text or as the object with given_name and family_name; used at the first login, cut at 60 characters',
    example: 'Ann',
  })
  name?: unknown;
}

export class WechatLoginDto {
  @Field('code', { description: 'WeChat authorization code' })
  code: string;

  @Field('deviceId', { description: 'Device identifier', optional: true })
  device_id?: string;

  @Field('appName', { description: 'Application ID' })
  app_id: string;
}

export class WechatWebQuery {
  @Field('appName', { description: 'Application ID; required to begin', optional: true })
  app_id?: string;

  @Field('redirectUrl', {
    description: 'Where to return to with the token; exactly one of the URLs allowed for the application',
    optional: true,
  })
  redirect_url?: string;

  @Field('redirectUrl', { description: 'Another name of `redirect_url`', optional: true })
  redirect_uri?: string;

  @Field('code', { description: 'From WeChat: the authorization code; none when declined', optional: true })
  code?: string;

  @Field('state', { description: 'From WeChat: the state of the beginning', optional: true })
  state?: string;
}

export class WechatWebStartDto {
  @ApiProperty({
    type: String,
    description: 'Page of WeChat with the QR code',
    example: 'https://open.weixin.qq.com/connect/qrconnect?appid=wx0123456789abcdef#wechat_redirect',
  })
  authorize_url: string;

  @ApiProperty({
    type: String,
    description: 'What WeChat gives back; good for one time and ten minutes',
    example: '0123456789abcdef',
  })
  state: string;
}

export class BindDto {
  @Field('mail', { description: 'Email to bind', optional: true })
  mail?: string;

  @Field('code', { description: 'Authorization code', optional: true })
  code?: string;

  @Field('token', { description: 'ID token for social login', optional: true, example: ID_TOKEN_EXAMPLE })
  id_token?: string;

  @Field('loginType', { description: 'Binding type (mail, google, wechat, apple)' })
  type: LoginType;
}

export class UnbindDto {
  @Field('loginType', { description: 'Binding type to remove' })
  type: LoginType;
}
