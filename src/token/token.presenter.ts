import type { TokenPair } from './token-issuer.service.js';
import type { TokenPairDto } from './token.dto.js';

export function presentTokenPair(pair: TokenPair): TokenPairDto {
  return {
    access_token: pair.accessToken,
    access_token_expire_at: pair.accessTokenExpiresAt,
    refresh_token: pair.refreshToken,
    refresh_token_expire_at: pair.refreshTokenExpiresAt,
    type: 'Bearer',
  };
}
