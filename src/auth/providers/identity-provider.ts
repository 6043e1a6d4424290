import { PlutoError } from '../../common/errors.js';
import type { ProviderType } from '../../users/identity.entity.js';
import type { IdentityClaims } from '../../users/provider-identities.service.js';
import type { ProviderName } from './provider-http.js';

/** A person as their provider vouches for them. */
export interface ExternalIdentity extends IdentityClaims {
  /** What revokes the person's consent at the provider, where it asks for that. */
  grant?: { clientId: string; refreshToken: string };
}

/** Somebody else's sign-in. */
export interface IdentityProvider {
  readonly type: ProviderType;

  /**
   * Finds out who sent a credential; with calls to the provider, so never inside a transaction.
   * @param application whose account at the provider it was issued for
   * @param credential Google: the ID token; Apple and WeChat: the authorization code
   * @throws PlutoError forbidden where the application has no account at the provider; invalidGoogleIdToken |
   *   invalidAppleIdToken | invalidWechatCode for a bad credential; serviceUnavailable
   */
  identify(application: ProviderApplication, credential: string): Promise<ExternalIdentity>;
}

export interface ProviderApplication {
  id: number;
  name: string;
}

/** @throws PlutoError forbidden, when there are no settings for the provider */
export function configured<T>(
  settings: T | null,
  provider: ProviderName | 'WeChat on the web',
  { name }: ProviderApplication,
): T {
  if (settings !== null) return settings;
  throw new PlutoError('forbidden', {
    message: `Operation Forbidden: sign-in with ${provider} is not configured for ${name}`,
  });
}
