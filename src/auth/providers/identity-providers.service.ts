import { Injectable } from '@nestjs/common';
import { ProviderSettingsService } from '../../applications/provider-settings.service.js';
import { providerTypes, type ProviderType } from '../../users/identity.entity.js';
import { AppleProvider } from './apple/apple.provider.js';
import { GoogleProvider } from './google/google.provider.js';
import type { IdentityProvider } from './identity-provider.js';
import { WechatProvider } from './wechat/wechat.provider.js';

/** The identity providers by name. */
@Injectable()
export class IdentityProviders {
  private readonly providers: Record<ProviderType, IdentityProvider>;

  constructor(
    private readonly providerSettings: ProviderSettingsService,
    google: GoogleProvider,
    apple: AppleProvider,
    wechat: WechatProvider,
  ) {
    this.providers = { google, apple, wechat };
  }

  get(type: ProviderType): IdentityProvider {
    return this.providers[type];
  }

  /** The providers configured for the application. */
  async configuredFor(applicationId: number): Promise<ProviderType[]> {
    const { google, apple, wechatMobile, wechatWeb } = await this.providerSettings.get(applicationId);
    const accounts = { google, apple, wechat: wechatMobile ?? wechatWeb };
    return providerTypes.filter((type) => accounts[type] !== null);
  }
}
