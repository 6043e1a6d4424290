import { Injectable } from '@nestjs/common';
import { JwtService, TokenExpiredError, JsonWebTokenError } from '@nestjs/jwt';
import { SignJWT, type JWTPayload } from 'jose';
import type { Principal } from '../common/access.js';
import { PlutoError } from '../common/errors.js';
import { nowSeconds } from '../common/time.js';
import { Settings } from '../config/settings.js';
import { readAccessClaims, type AccessClaims } from './access-claims.js';
import { SessionsService } from './sessions.service.js';
import { SigningKeysService } from './signing-keys.service.js';

/** Signs and checks access tokens: JWTs of type `access`, RS256 only. */
@Injectable()
export class AccessTokensService {
  constructor(
    private readonly keys: SigningKeysService,
    private readonly sessions: SessionsService,
    private readonly jwt: JwtService,
    private readonly settings: Settings,
  ) {}

  /**
   * Signs an access token, off the event loop.
   * @returns the compact JWS and its `exp` in seconds since the epoch
   */
  async sign(bearer: {
    userId: number;
    applicationName: string;
    scopes: string[];
    sessionId: string;
  }): Promise<{ accessToken: string; expiresAt: number }> {
    const { kid, privateKey } = await this.keys.signingKey();
    const issuedAt = nowSeconds();
    const claims: AccessClaims = {
      type: 'access',
      iat: issuedAt,
      exp: issuedAt + this.settings.accessTokenTtlSeconds,
      sub: bearer.userId,
      iss: bearer.applicationName,
      scopes: bearer.scopes,
      sid: bearer.sessionId,
    };
    // The contract wants an integer `sub`, where RFC 7519 section 4.1.2 and jose's types have a string.
    const accessToken = await new SignJWT(claims as unknown as JWTPayload)
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid })
      .sign(privateKey);
    return { accessToken, expiresAt: claims.exp };
  }

  /**
   * Checks a token from anywhere: signature, type, expiry, and that its session has not ended.
   * @throws PlutoError invalidJwt | jwtExpired | invalidAccessToken
   */
  async verify(token: string): Promise<AccessClaims> {
    const claims = readAccessClaims(await this.verifySignature(token));
    await this.principalOf(claims);
    return claims;
  }

  /**
   * The bearer of a token whose signature, type and expiry were checked.
   * @throws PlutoError invalidAccessToken when its session has ended
   */
  async principalOf({ sid, sub, iss, scopes }: AccessClaims): Promise<Principal> {
    const session = await this.sessions.find(sid);
    if (!session || session.userId !== sub) throw new PlutoError('invalidAccessToken');
    return {
      userId: sub,
      applicationId: session.applicationId,
      applicationName: iss,
      sessionId: sid,
      scopes,
    };
  }

  private async verifySignature(token: string): Promise<unknown> {
    try {
      return await this.jwt.verifyAsync<Record<string, unknown>>(token);
    } catch (error) {
      throw tokenError(error);
    }
  }
}

/** Finds the failure for what the JWT libraries throw; what is not theirs stays what it is. */
export function tokenError(error: unknown): unknown {
  if (error instanceof TokenExpiredError) return new PlutoError('jwtExpired', { cause: error });
  if (error instanceof JsonWebTokenError) return new PlutoError('invalidJwt', { cause: error });
  return error;
}
