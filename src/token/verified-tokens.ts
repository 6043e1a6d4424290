import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { nowSeconds } from '../common/time.js';
import type { AccessClaims } from './access-claims.js';
import { SigningKeysService } from './signing-keys.service.js';

const TOKENS_MAX = 5000;

/** The claims of a token, and the key that signed it. */
export interface VerifiedToken {
  claims: AccessClaims;
  kid: string;
}

/**
 * Caches verified tokens by their SHA-256 hashes, so that it holds no tokens. Whether a token's session still
 * exists is not cached but checked each time.
 */
@Injectable()
export class VerifiedTokens {
  private readonly tokens = new LRUCache<string, VerifiedToken>({ max: TOKENS_MAX });

  constructor(private readonly keys: SigningKeysService) {}

  /**
   * The claims of a token that was verified before; null if it was not, or the token or its key has expired.
   */
  async recall(hash: string): Promise<AccessClaims | null> {
    const known = this.tokens.get(hash);
    if (!known) return null;
    if (known.claims.exp > nowSeconds() && (await this.keys.isVerifying(known.kid))) return known.claims;
    this.tokens.delete(hash);
    return null;
  }

  remember(hash: string, token: VerifiedToken): void {
    this.tokens.set(hash, token);
  }
}
