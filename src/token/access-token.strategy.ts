import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { Strategy, type SecretOrKeyProvider } from 'passport-jwt';
import type { Principal } from '../common/access.js';
import { readAccessClaims } from './access-claims.js';
import { AccessTokensService } from './access-tokens.service.js';
import { SigningKeysService } from './signing-keys.service.js';

export const ACCESS_TOKEN_STRATEGY = 'access-token';

export interface BearingRequest {
  headers: { authorization?: string };
}

/** Reads `Authorization: Bearer <jwt>`; `jwt` as the scheme is what the clients of the earlier servers send. */
export function tokenFromHeader(request: BearingRequest): string | null {
  return /^(?:bearer|jwt) +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1] ?? null;
}

@Injectable()
export class AccessTokenStrategy extends PassportStrategy(Strategy, ACCESS_TOKEN_STRATEGY) {
  constructor(
    keys: SigningKeysService,
    private readonly accessTokens: AccessTokensService,
  ) {
    super({
      jwtFromRequest: tokenFromHeader,
      algorithms: ['RS256'],
      secretOrKeyProvider: keyProvider(keys),
    });
  }

  validate(payload: unknown): Promise<Principal> {
    return this.accessTokens.principalOf(readAccessClaims(payload));
  }
}

/** Gives jsonwebtoken the cached key object: passport-jwt's types know strings only, but parsing a PEM each time is slow. */
function keyProvider(keys: SigningKeysService): SecretOrKeyProvider {
  return (_request, token: string, done) => {
    keys
      .verificationKeyOf(token)
      .then((key) => done(null, key as unknown as string))
      .catch((error: unknown) => done(error));
  };
}
