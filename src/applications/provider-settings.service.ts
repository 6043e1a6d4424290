import { Injectable } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import type { ApplicationSettings } from './application-settings.entity.js';
import { ApplicationSettingsService } from './application-settings.service.js';

export interface AppleSettings {
  teamId: string;
  keyId: string;
  /** The bundle id of the app, or the id of the service. */
  clientId: string;
  /** PKCS#8 PEM. */
  privateKey: string;
}

export interface WechatApp {
  appId: string;
  appSecret: string;
}

/** An application's accounts at the providers; null for a provider without one. */
export interface ProviderSettings {
  google: { clientIds: string[] } | null;
  apple: AppleSettings | null;
  wechatMobile: WechatApp | null;
  wechatWeb: WechatApp | null;
  /** The URLs that a sign-in on the web may return to. */
  redirectUrls: string[];
}

/** Finds the provider accounts of an application: its own, else those of the server. */
@Injectable()
export class ProviderSettingsService {
  constructor(
    private readonly applicationSettings: ApplicationSettingsService,
    private readonly settings: Settings,
  ) {}

  /** @throws PlutoError applicationNotExist */
  async get(applicationId: number): Promise<ProviderSettings> {
    const own = await this.applicationSettings.get(applicationId);
    const { google, wechat } = this.settings;
    const clientIds = preferred(own.googleClientIds, google.clientIds);
    return {
      google: clientIds.length > 0 ? { clientIds } : null,
      apple: this.apple(own),
      wechatMobile:
        this.wechatApp(own, 'wechatAppId', 'wechatAppSecret') ?? appOf(wechat.appId, wechat.appSecret),
      wechatWeb:
        this.wechatApp(own, 'wechatWebAppId', 'wechatWebAppSecret') ??
        appOf(wechat.webAppId, wechat.webAppSecret),
      redirectUrls: preferred(own.redirectUrls, wechat.webRedirectUrls),
    };
  }

  private apple(own: ApplicationSettings): AppleSettings | null {
    if (own.appleClientId !== '') {
      return {
        teamId: own.appleTeamId,
        keyId: own.appleKeyId,
        clientId: own.appleClientId,
        privateKey: this.applicationSettings.reveal(own, 'applePrivateKey'),
      };
    }
    const { teamId, keyId, clientId, privateKey } = this.settings.apple;
    return teamId && keyId && clientId && privateKey ? { teamId, keyId, clientId, privateKey } : null;
  }

  private wechatApp(
    own: ApplicationSettings,
    id: 'wechatAppId' | 'wechatWebAppId',
    secret: 'wechatAppSecret' | 'wechatWebAppSecret',
  ): WechatApp | null {
    return own[id] === ''
      ? null
      : { appId: own[id], appSecret: this.applicationSettings.reveal(own, secret) };
  }
}

function preferred(own: string[], common: string[]): string[] {
  return own.length > 0 ? own : common;
}

function appOf(appId: string | undefined, appSecret: string | undefined): WechatApp | null {
  return appId && appSecret ? { appId, appSecret } : null;
}
