import type { Settings } from '../config/settings.js';

/**
 * The issuer identifier of this authorization server. It is made from PUBLIC_URL alone, so that no header of
 * a request can change it.
 * @see RFC 8414 section 2
 */
export function issuerOf({ publicUrl }: Pick<Settings, 'publicUrl'>): string {
  return `${publicUrl}/oauth2`;
}
