import { Injectable } from '@nestjs/common';
import { RefreshService } from '../../token/refresh.service.js';
import type { TokenPair } from '../../token/token-issuer.service.js';
import type { Grant, TokenRequest } from './grant.js';

/**
 * Exchanges a refresh token for its successor; only for the client that it was issued to.
 * @see RFC 6749 section 6
 */
@Injectable()
export class RefreshTokenGrant implements Grant {
  constructor(private readonly refreshes: RefreshService) {}

  /**
   * @throws PlutoError applicationNotExist | invalidApplication | invalidRefreshToken | refreshTokenExpired
   */
  issue({ client, parameters, caller }: TokenRequest): Promise<TokenPair> {
    return this.refreshes.refresh({
      refreshToken: parameters.required('refresh_token'),
      applicationName: parameters.required('app_id'),
      scopes: parameters.scopes,
      deviceId: parameters.deviceId,
      clientKey: client.key,
      context: caller,
    });
  }
}
