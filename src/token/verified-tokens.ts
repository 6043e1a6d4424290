import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { nowSeconds } from '../common/time.js';
import type { AccessClaims } from './access-claims.js';
import { SigningKeysService } from './signing-keys.service.js';

/** At about a kilobyte each. */
const TOKENS_MAX = 5000;

/** What a token says, and the key whose signature it bears. */
export interface VerifiedToken {
  claims: AccessClaims;
  kid: string;
}

/**
 * Remembers which tokens were found to be signed by which key. They are known by their hashes (SHA-256), so that the memory
 * holds no tokens. Whether a token's session still exists is not remembered, and looked up each time.
 */
@Injectable()
export class VerifiedTokens {
  private readonly tokens = new LRUCache<string, VerifiedToken>({ max: TOKENS_MAX });

  constructor(private readonly keys: SigningKeysService) {}

  /** The claims of a token that was verified before; null when it was not, or it or its key has expired. */
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
