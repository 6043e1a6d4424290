import { Injectable } from '@nestjs/common';
import type { JWTVerifyGetKey } from 'jose';
import { Settings } from '../../../config/settings.js';
import { ProviderSettingsService } from '../../../applications/provider-settings.service.js';
import { verifyIdToken } from '../id-token.js';
import {
  configured,
  type IdentityProvider,
  type ExternalIdentity,
  type ProviderApplication,
} from '../identity-provider.js';
import { remoteKeySet } from '../remote-key-set.js';

/**
 * Sign-in with Google: the app sends the ID token that it got from Google.
 * @see https://developers.google.com/identity/sign-in/ios/backend-auth
 */
@Injectable()
export class GoogleProvider implements IdentityProvider {
  readonly type = 'google';
  private readonly keys: JWTVerifyGetKey;
  private readonly issuers: string[];

  constructor(
    { google }: Settings,
    private readonly providerSettings: ProviderSettingsService,
  ) {
    this.keys = remoteKeySet('Google', new URL(google.jwksUrl));
    // Google uses both forms of its issuer.
    this.issuers = [google.issuer, google.issuer.replace(/^https?:\/\//, '')];
  }

  async identify(application: ProviderApplication, idToken: string): Promise<ExternalIdentity> {
    const { google } = await this.providerSettings.get(application.id);
    const { clientIds } = configured(google, 'Google', application);
    const claims = await verifyIdToken(idToken, {
      keys: this.keys,
      issuers: this.issuers,
      audiences: clientIds,
      invalid: 'invalidGoogleIdToken',
    });
    return { subjects: [claims.subject], mail: claims.mail, name: claims.name, avatarUrl: claims.picture };
  }
}
