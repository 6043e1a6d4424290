import { PlutoError } from '../../common/errors.js';
import type { ProviderType } from '../../users/identity.entity.js';
import type { IdentityClaims } from '../../users/provider-identities.service.js';
import type { ProviderName } from './provider-http.js';

/** A person as authenticated by a provider. */
export interface ExternalIdentity extends IdentityClaims {
  /** The token that revokes the person's consent, for providers that require revocation. */
  grant?: { clientId: string; refreshToken: string };
}

/** Sign-in with a third party. */
export interface IdentityProvider {
  readonly type: ProviderType;

  /**
   * Identifies the person behind a credential. Calls the provider, so never use it inside a transaction.
   * @param application whose account at the provider the credential was issued for
   * @param credential Google: the ID token; Apple and WeChat: the authorization code
   * @throws PlutoError forbidden if the application has no account at the provider; invalidGoogleIdToken |
   *   invalidAppleIdToken | invalidWechatCode for a bad credential; serviceUnavailable
   */
  identify(application: ProviderApplication, credential: string): Promise<ExternalIdentity>;
}

export interface ProviderApplication {
  id: number;
  name: string;
}

/** @throws PlutoError forbidden if the provider is not configured */
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
