import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { Strategy } from 'passport-jwt';
import type { Principal } from '../common/access.js';
import { AccessTokensService } from './access-tokens.service.js';

export const ACCESS_TOKEN_STRATEGY = 'access-token';

interface BearingRequest {
  headers: { authorization?: string };
}

/** Lets Passport verify tokens with `AccessTokensService` instead of passport-jwt's own verification. */
@Injectable()
export class AccessTokenStrategy extends PassportStrategy(Strategy, ACCESS_TOKEN_STRATEGY) {
  constructor(private readonly accessTokens: AccessTokensService) {
    super({
      jwtFromRequest: (request: BearingRequest) => tokenFromHeader(request.headers.authorization),
      secretOrKeyProvider: (_request, _token, done) => done(new Error('passport-jwt is given no keys')),
    });
  }

  override authenticate(request: BearingRequest): void {
    const token = tokenFromHeader(request.headers.authorization);
    if (token === null) return this.fail(401);
    this.validate(token).then(
      (principal) => this.success(principal),
      (error: Error) => this.error(error),
    );
  }

  /** @throws PlutoError like `AccessTokensService.authenticate` */
  validate(token: string): Promise<Principal> {
    return this.accessTokens.authenticate(token);
  }
}

/** Reads `Authorization: Bearer <jwt>`; clients of the earlier servers send the scheme `jwt`. */
export function tokenFromHeader(authorization: string | undefined): string | null {
  return /^(?:bearer|jwt) +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? null;
}
