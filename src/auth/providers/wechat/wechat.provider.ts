import { Injectable } from '@nestjs/common';
import { PlutoError } from '../../../common/errors.js';
import { Settings } from '../../../config/settings.js';
import { ProviderSettingsService, type WechatApp } from '../../../applications/provider-settings.service.js';
import {
  configured,
  type IdentityProvider,
  type ExternalIdentity,
  type ProviderApplication,
} from '../identity-provider.js';
import { providerUnavailable, requestJson } from '../provider-http.js';

/** Invalid, used, missing, expired code; all other errors are ours or WeChat's. */
const CODE_FAULTS = [40029, 40163, 41008, 42003];
const IDENTIFIER = /^[\x21-\x7e]{1,128}$/;

/**
 * Sign-in with WeChat: the app or the browser sends the code that it got from WeChat. A person has one openid
 * for each of our apps at WeChat, and one union id for all of them once the apps are linked there, which may
 * happen later.
 * @see https://developers.weixin.qq.com/doc/oplatform/Mobile_App/WeChat_Login/Development_Guide.html
 * @see https://developers.weixin.qq.com/doc/oplatform/Website_App/WeChat_Login/Wechat_Login.html
 */
@Injectable()
export class WechatProvider implements IdentityProvider {
  readonly type = 'wechat';

  constructor(
    private readonly settings: Settings,
    private readonly providerSettings: ProviderSettingsService,
  ) {}

  async identify(application: ProviderApplication, code: string): Promise<ExternalIdentity> {
    const { wechatMobile } = await this.providerSettings.get(application.id);
    return this.exchange(configured(wechatMobile, 'WeChat', application), code);
  }

  /** Like `identify`, for a code of the website app. */
  async identifyOnWeb(application: ProviderApplication, code: string): Promise<ExternalIdentity> {
    const { wechatWeb } = await this.providerSettings.get(application.id);
    return this.exchange(configured(wechatWeb, 'WeChat on the web', application), code);
  }

  private async exchange(app: WechatApp, code: string): Promise<ExternalIdentity> {
    const token = await this.call(
      '/sns/oauth2/access_token',
      { appid: app.appId, secret: app.appSecret, code, grant_type: 'authorization_code' },
      CODE_FAULTS,
    );
    const openid = identifier(token.openid);
    const accessToken = textOf(token.access_token);
    if (accessToken === '') throw strange('no access token');
    const user = await this.call('/sns/userinfo', { access_token: accessToken, openid });
    if (identifier(user.openid) !== openid) throw strange('another openid');
    const unionid = optionalIdentifier(user.unionid) || optionalIdentifier(token.unionid);
    return {
      subjects: [`openid:${app.appId}:${openid}`, ...(unionid === '' ? [] : [`unionid:${unionid}`])],
      mail: '',
      name: textOf(user.nickname),
      avatarUrl: textOf(user.headimgurl),
    };
  }

  /**
   * WeChat reports errors with status 200.
   * @param codeFaults the errcodes that concern the code
   */
  private async call(
    path: string,
    query: Record<string, string>,
    codeFaults: number[] = [],
  ): Promise<Record<string, unknown>> {
    const url = new URL(`${this.settings.wechat.apiUrl}${path}?${new URLSearchParams(query).toString()}`);
    const { body } = await requestJson('WeChat', url);
    const code = errorCode(body.errcode);
    if (code === 0) return body;
    if (codeFaults.includes(code)) throw new PlutoError('invalidWechatCode');
    throw providerUnavailable('WeChat', `${path} returned errcode ${code}`);
  }
}

/** 0 for none; NaN for what is no number, not even as a text. */
function errorCode(value: unknown): number {
  if (value === undefined || value === null) return 0;
  return typeof value === 'number' || (typeof value === 'string' && value !== '') ? Number(value) : NaN;
}

/** @throws PlutoError serviceUnavailable */
function identifier(value: unknown): string {
  if (typeof value !== 'string' || !IDENTIFIER.test(value)) throw strange('no openid');
  return value;
}

function optionalIdentifier(value: unknown): string {
  if (value === undefined || value === null || value === '') return '';
  if (typeof value !== 'string' || !IDENTIFIER.test(value)) throw strange('an invalid union id');
  return value;
}

function strange(what: string): PlutoError {
  return providerUnavailable('WeChat', `response with ${what}`);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
