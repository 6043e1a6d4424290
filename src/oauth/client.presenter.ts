import type { OAuthClient } from './oauth-client.entity.js';
import type { OAuthClientDto } from './oauth.dto.js';

/** Never includes the secret. */
export function presentClient(
  { key, status, redirectUri, userId }: OAuthClient,
  applications: string[],
): OAuthClientDto {
  return { key, status, redirect_uri: redirectUri, user_id: userId ?? 0, app_ids: applications };
}
