import { createHash, randomBytes } from 'node:crypto';
import { exportPKCS8, generateKeyPair, jwtVerify, type CryptoKey } from 'jose';
import { nextNumber } from './client.js';
import {
  nowInSeconds,
  ProviderServer,
  type Endpoint,
  type Fields,
  type Parameters,
  type Reply,
} from './provider-server.js';
import { SigningKeys, type SigningOptions } from './signing-keys.js';

export const APPLE_ISSUER = 'https://appleid.apple.com';
export const APPLE_CLIENT = 'com.example.pluto';
export const APPLE_TOKEN = '/auth/token';
export const APPLE_KEYS = '/auth/keys';
export const APPLE_REVOKE = '/auth/revoke';

const TEAM_ID = 'TEAM567890';
const KEY_ID = 'KEY4567890';
const CODE_TTL_SECONDS = 300;
const ACCESS_TOKEN_TTL_SECONDS = 3600;
const ID_TOKEN_TTL_SECONDS = 600;
/** Six months, the most that Apple allows. */
const CLIENT_SECRET_TTL_SECONDS = 15_777_000;

interface Grant {
  clientId: string;
  claims: Fields;
  expiresAt: number;
  isUsed: boolean;
}

/**
 * Sign in with Apple as a server sees it: codes become tokens, refresh tokens are revoked.
 * @see https://developer.apple.com/documentation/signinwithapplerestapi
 */
export class FakeApple extends ProviderServer {
  readonly keys = new SigningKeys(() => randomBytes(8).toString('base64url').slice(0, 10));
  private readonly grants = new Map<string, Grant>();
  private readonly refreshTokens = new Map<string, { sub: unknown; isRevoked: boolean }>();
  private alteration: { claims: Fields; options: SigningOptions } = { claims: {}, options: {} };
  protected readonly endpoints: Record<string, Endpoint> = {
    [APPLE_KEYS]: { method: 'GET', answer: () => ({ body: this.keys.set }) },
    [APPLE_TOKEN]: {
      method: 'POST',
      required: ['client_id', 'client_secret', 'code', 'grant_type'],
      answer: (parameters) => this.exchange(parameters),
    },
    [APPLE_REVOKE]: {
      method: 'POST',
      required: ['client_id', 'client_secret', 'token'],
      optional: ['token_type_hint'],
      answer: (parameters) => this.revoke(parameters),
    },
  };

  private constructor(
    private readonly privateKey: string,
    private readonly clientKey: CryptoKey,
  ) {
    super();
  }

  static async start(): Promise<FakeApple> {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const apple = new FakeApple(await exportPKCS8(privateKey), publicKey);
    await apple.rotate();
    return apple.listen();
  }

  get env() {
    return {
      APPLE_BASE_URL: this.url,
      APPLE_TEAM_ID: TEAM_ID,
      APPLE_KEY_ID: KEY_ID,
      APPLE_CLIENT_ID: APPLE_CLIENT,
      APPLE_PRIVATE_KEY: this.privateKey,
    };
  }

  /** Publishes new keys instead of the old, and signs with them. */
  rotate(): Promise<void> {
    return this.keys.rotate();
  }

  /**
   * An authorization code as an app gets it, good for once and five minutes, of somebody new.
   * @param person claims of the ID token; undefined removes one. `clientId` is the app that got the code.
   */
  code({ clientId = APPLE_CLIENT, ...claims }: Fields & { clientId?: string } = {}): string {
    const number = nextNumber();
    const sub = `${String(number).padStart(6, '0')}.${randomBytes(16).toString('hex')}.0123`;
    const email = `person${number}@icloud.com`;
    const code = newToken('c');
    this.grants.set(code, {
      clientId,
      claims: { sub, email, email_verified: true, ...claims },
      expiresAt: nowInSeconds() + CODE_TTL_SECONDS,
      isUsed: false,
    });
    return code;
  }

  /**
   * Changes the ID token of the next exchange. For a raw text, or none: `alterNext(APPLE_TOKEN, { id_token
   * })`.
   */
  alterNextIdToken(claims: Fields, options: SigningOptions = {}): void {
    this.alteration = { claims, options };
  }

  /** The refresh tokens given out for a person, oldest first. */
  issuedTo(sub: string): string[] {
    return [...this.refreshTokens].filter(([, grant]) => grant.sub === sub).map(([token]) => token);
  }

  isRevoked(refreshToken: string): boolean {
    const grant = this.refreshTokens.get(refreshToken);
    if (!grant) throw new Error('Apple did not give out that refresh token');
    return grant.isRevoked;
  }

  override recover(): void {
    super.recover();
    this.alteration = { claims: {}, options: {} };
  }

  private async exchange(parameters: Parameters): Promise<Reply> {
    const invalid = await this.findFaultWithClient(parameters);
    if (invalid) return this.refuseClient(APPLE_TOKEN, invalid);
    const { client_id: clientId, code, grant_type: grantType } = parameters;
    // A native app has no redirect URI, so its code must come without one.
    if (parameters.redirect_uri !== undefined) return refusal('invalid_client');
    if (!code || !grantType) return refusal('invalid_request');
    if (grantType !== 'authorization_code') {
      this.unexpected.push(`POST ${APPLE_TOKEN} with grant_type ${grantType}`);
      return refusal('unsupported_grant_type');
    }
    const grant = this.grants.get(code);
    if (!grant || grant.expiresAt <= nowInSeconds())
      return refusal('invalid_grant', 'The code has expired or has been revoked.');
    if (grant.clientId !== clientId)
      return refusal('invalid_grant', `client_id mismatch. The code was not issued to ${clientId}.`);
    if (grant.isUsed) return refusal('invalid_grant', 'The code has already been used.');
    grant.isUsed = true;
    return { body: await this.issueTokens(grant) };
  }

  private async issueTokens({ clientId, claims }: Grant): Promise<Fields> {
    const accessToken = newToken('a');
    const refreshToken = newToken('r');
    this.refreshTokens.set(refreshToken, { sub: claims.sub, isRevoked: false });
    const { claims: change, options } = this.alteration;
    this.alteration = { claims: {}, options: {} };
    const now = nowInSeconds();
    const idToken = {
      iss: APPLE_ISSUER,
      aud: clientId,
      exp: now + ID_TOKEN_TTL_SECONDS,
      iat: now,
      at_hash: hashOf(accessToken),
      auth_time: now,
      nonce_supported: true,
      ...claims,
      ...change,
    };
    return {
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: ACCESS_TOKEN_TTL_SECONDS,
      refresh_token: refreshToken,
      id_token: await this.keys.sign(idToken, options),
    };
  }

  private async revoke(parameters: Parameters): Promise<Reply> {
    const invalid = await this.findFaultWithClient(parameters);
    if (invalid) return this.refuseClient(APPLE_REVOKE, invalid);
    const { token, token_type_hint: hint = 'refresh_token' } = parameters;
    if (!token) return refusal('invalid_request');
    if (hint !== 'refresh_token' && hint !== 'access_token') {
      this.unexpected.push(`POST ${APPLE_REVOKE} with token_type_hint ${hint}`);
      return refusal('invalid_request');
    }
    // A token that is unknown or was revoked before is a success too.
    const grant = this.refreshTokens.get(token);
    if (grant) grant.isRevoked = true;
    return {};
  }

  private async findFaultWithClient({ client_id: clientId, client_secret: secret = '' }: Parameters) {
    if (clientId !== APPLE_CLIENT) return `client_id ${clientId}`;
    try {
      const { payload, protectedHeader } = await jwtVerify(secret, this.clientKey, {
        algorithms: ['ES256'],
        issuer: TEAM_ID,
        subject: clientId,
        audience: APPLE_ISSUER,
        requiredClaims: ['iat', 'exp'],
      });
      if (protectedHeader.kid !== KEY_ID) return `client_secret with kid ${protectedHeader.kid}`;
      const isTooLong = payload.exp! - nowInSeconds() > CLIENT_SECRET_TTL_SECONDS;
      return isTooLong ? 'client_secret good for more than six months' : null;
    } catch (error) {
      return `client_secret: ${String(error)}`;
    }
  }

  private refuseClient(path: string, why: string): Reply {
    this.noteInvalidClient(`POST ${path} with ${why}`);
    return refusal('invalid_client');
  }
}

function refusal(error: string, description?: string): Reply {
  return { status: 400, body: JSON.stringify({ error, error_description: description }) };
}

/** In Apple's style, whose first letter says what it is. */
function newToken(kind: 'a' | 'c' | 'r'): string {
  return `${kind}${randomBytes(16).toString('hex')}.0.mrxv.${randomBytes(16).toString('base64url')}`;
}

/** OpenID Connect Core 1.0 section 3.1.3.6 */
function hashOf(accessToken: string): string {
  return createHash('sha256').update(accessToken).digest().subarray(0, 16).toString('base64url');
}
