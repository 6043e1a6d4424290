import { randomBytes } from 'node:crypto';
import { nextNumber } from './client.js';
import { nowInSeconds, ProviderServer, type Endpoint, type Fields } from './provider-server.js';
import { SigningKeys, type SigningOptions } from './signing-keys.js';

export const GOOGLE_IOS_CLIENT = 'ios.apps.googleusercontent.com';
export const GOOGLE_WEB_CLIENT = 'web.apps.googleusercontent.com';
export const GOOGLE_CERTS = '/oauth2/v3/certs';

const ID_TOKEN_TTL_SECONDS = 3600;

/**
 * Google as a server sees it: the keys of the ID tokens that its apps bring along.
 * @see https://developers.google.com/identity/openid-connect/reference
 * @see https://developers.google.com/identity/gsi/web/guides/verify-google-id-token
 */
export class FakeGoogle extends ProviderServer {
  readonly keys = new SigningKeys(() => randomBytes(20).toString('hex'));
  protected readonly endpoints: Record<string, Endpoint> = {
    [GOOGLE_CERTS]: {
      method: 'GET',
      answer: () => ({
        contentType: 'application/json; charset=UTF-8',
        headers: { 'cache-control': 'public, max-age=24442, must-revalidate, no-transform' },
        body: this.keys.set,
      }),
    },
  };

  static async start(): Promise<FakeGoogle> {
    const google = new FakeGoogle();
    await google.rotate();
    return google.listen();
  }

  get env() {
    return {
      GOOGLE_JWKS_URL: this.url + GOOGLE_CERTS,
      GOOGLE_CLIENT_IDS: `${GOOGLE_IOS_CLIENT},${GOOGLE_WEB_CLIENT}`,
    };
  }

  /** Publishes new keys instead of the old, and signs with them. */
  rotate(): Promise<void> {
    return this.keys.rotate();
  }

  /**
   * An ID token as Google gives it to an app, of somebody new.
   * @param change claims; undefined removes one
   */
  idToken(change: Fields = {}, options: SigningOptions = {}): Promise<string> {
    const number = nextNumber();
    const now = nowInSeconds();
    const claims = {
      iss: 'https://accounts.google.com',
      azp: GOOGLE_IOS_CLIENT,
      aud: GOOGLE_IOS_CLIENT,
      sub: `1${String(number).padStart(20, '0')}`,
      email: `person${number}@gmail.com`,
      email_verified: true,
      at_hash: randomBytes(16).toString('base64url'),
      name: `Grace Person ${number}`,
      picture: `https://lh3.googleusercontent.com/a/person${number}=s96-c`,
      given_name: 'Grace',
      family_name: `Person ${number}`,
      iat: now,
      exp: now + ID_TOKEN_TTL_SECONDS,
      ...change,
    };
    return this.keys.sign(claims, { ...options, header: { typ: 'JWT', ...options.header } });
  }
}
