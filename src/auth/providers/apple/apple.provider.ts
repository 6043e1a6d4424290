import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import type { JWTVerifyGetKey } from 'jose';
import { PlutoError } from '../../../common/errors.js';
import { Settings } from '../../../config/settings.js';
import {
  ProviderSettingsService,
  type AppleSettings,
} from '../../../applications/provider-settings.service.js';
import { AppleClientSecrets } from './apple-client-secret.js';
import { verifyIdToken, type IdTokenClaims } from '../id-token.js';
import {
  configured,
  type IdentityProvider,
  type ExternalIdentity,
  type ProviderApplication,
} from '../identity-provider.js';
import { providerUnavailable, request, requestJson, type JsonAnswer } from '../provider-http.js';
import { remoteKeySet } from '../remote-key-set.js';

/** Apple's issuer identifier, independent of the URL that requests go to. */
const APPLE = 'https://appleid.apple.com';
/** RFC 6749 section 5.2: this error concerns the code; all others concern our client. */
const CODE_FAULTS = ['invalid_grant', 'invalid_request'];

/**
 * Sign in with Apple: the app sends the authorization code that it got from Apple.
 * @see https://developer.apple.com/documentation/signinwithapplerestapi
 */
@Injectable()
export class AppleProvider implements IdentityProvider {
  readonly type = 'apple';
  private readonly baseUrl: string;
  private readonly keys: JWTVerifyGetKey;
  private readonly clientSecrets: AppleClientSecrets;

  constructor(
    { apple }: Settings,
    private readonly providerSettings: ProviderSettingsService,
    jwt: JwtService,
  ) {
    this.clientSecrets = new AppleClientSecrets(jwt, APPLE);
    this.baseUrl = apple.baseUrl;
    this.keys = remoteKeySet('Apple', this.url('/auth/keys'));
  }

  async identify(application: ProviderApplication, code: string): Promise<ExternalIdentity> {
    const { apple } = await this.providerSettings.get(application.id);
    const client = configured(apple, 'Apple', application);
    const { idToken, refreshToken } = await this.exchange(client, code);
    const claims = await this.verify(client, idToken);
    return {
      subjects: [claims.subject],
      mail: claims.mail,
      name: '',
      avatarUrl: '',
      ...(refreshToken !== '' && { grant: { clientId: client.clientId, refreshToken } }),
    };
  }

  /**
   * Revokes a person's authorization of the app. Apple also answers 200 for a token that is already revoked.
   * @throws PlutoError forbidden if the application has no account at Apple | serviceUnavailable
   * @see https://developer.apple.com/documentation/signinwithapplerestapi/revoke-tokens
   */
  async revoke(
    application: ProviderApplication,
    { clientId, refreshToken }: { clientId: string; refreshToken: string },
  ): Promise<void> {
    const { apple } = await this.providerSettings.get(application.id);
    const client = { ...configured(apple, 'Apple', application), clientId };
    const { status, text } = await request('Apple', this.url('/auth/revoke'), {
      ...(await this.credentials(client)),
      token: refreshToken,
      token_type_hint: 'refresh_token',
    });
    if (status !== 200)
      throw providerUnavailable('Apple', `revocation failed with status ${status}${errorIn(text)}`);
  }

  private async exchange(
    client: AppleSettings,
    code: string,
  ): Promise<{ idToken: string; refreshToken: string }> {
    const answer = await requestJson('Apple', this.url('/auth/token'), {
      form: { ...(await this.credentials(client)), code, grant_type: 'authorization_code' },
      accepted: [200, 400],
    });
    if (answer.status !== 200) throw exchangeError(answer);
    const { id_token: idToken, refresh_token: refreshToken = '' } = answer.body;
    if (typeof idToken !== 'string' || typeof refreshToken !== 'string')
      throw providerUnavailable('Apple', 'response to a code without tokens');
    return { idToken, refreshToken };
  }

  private verify({ clientId }: AppleSettings, idToken: string): Promise<IdTokenClaims> {
    return verifyIdToken(idToken, {
      keys: this.keys,
      // A stand-in for Apple at APPLE_BASE_URL may be its own issuer.
      issuers: [APPLE, this.baseUrl],
      audiences: [clientId],
      invalid: 'invalidAppleIdToken',
    });
  }

  private async credentials(client: AppleSettings): Promise<Record<string, string>> {
    return { client_id: client.clientId, client_secret: await this.clientSecrets.get(client) };
  }

  private url(path: string): URL {
    return new URL(this.baseUrl + path);
  }
}

function exchangeError({ status, body: { error } }: JsonAnswer): PlutoError {
  if (typeof error !== 'string')
    return providerUnavailable('Apple', `error response without an error code, status ${status}`);
  if (!CODE_FAULTS.includes(error))
    return providerUnavailable('Apple', `client refused: ${/^[a-z_]{1,40}$/.exec(error)?.[0] ?? ''}`);
  return new PlutoError('invalidAppleIdToken', { message: 'Invalid Apple ID Token: the code was refused' });
}

/** The `error` of a response, after a space, for the log. */
function errorIn(text: string): string {
  const name = /"error" *: *"([a-z_]{1,40})"/.exec(text)?.[1];
  return name === undefined ? '' : ` ${name}`;
}
