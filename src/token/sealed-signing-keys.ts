import { unseal } from '../common/crypto.js';
import type { SecretKey } from '../config/secret-key.js';
import { SIGNING_KEYS_PURPOSE } from './signing-keys.service.js';

/** A signing key as its row has it. */
export interface SealedSigningKey {
  kid: string;
  sealed: string;
}

/** Reads all of them, also outside the application's services. */
export const SEALED_SIGNING_KEYS = 'SELECT kid, sealed_private_key AS sealed FROM signing_keys';

/** Whether a secret is the one that encrypted these keys; true if there are none. */
export function opensSigningKeys(secretKey: SecretKey, keys: SealedSigningKey[]): boolean {
  const sealingKey = secretKey.derive(SIGNING_KEYS_PURPOSE);
  try {
    for (const { kid, sealed } of keys) unseal(sealingKey, kid, sealed);
    return true;
  } catch {
    return false;
  }
}
