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
 * Remembers which tokens were found to be signed by which key, once they have been shown twice: to look one up takes 4 µs,
 * to check it again 15 to 30. They are known by their hashes (SHA-256), so that the memory does not hold tokens for long. Whether
 * a token's session is still there is not remembered, and asked each time.
 */
@Injectable()
export class VerifiedTokens {
  private readonly tokens = new LRUCache<string, VerifiedToken>({ max: TOKENS_MAX });
  /**
   * A token is kept from the second time on: most that come but once would only push out others, and leave V8 a kilobyte
   * each to clear away, for which all requests wait 60 ms again and again.
   */
  private readonly shownOnce = new LRUCache<string, true>({ max: TOKENS_MAX });

  constructor(private readonly keys: SigningKeysService) {}

  /** The claims of a token that was found good before; null when it was not, or has expired, or its key with it. */
  async recall(hash: string): Promise<AccessClaims | null> {
    const known = this.tokens.get(hash);
    if (!known) return null;
    if (known.claims.exp > nowSeconds() && (await this.keys.isVerifying(known.kid))) return known.claims;
    this.tokens.delete(hash);
    return null;
  }

  /** Notes a token whose signature was just found to be that of the key. */
  remember(hash: string, token: VerifiedToken): void {
    if (this.shownOnce.delete(hash)) this.tokens.set(hash, token);
    else this.shownOnce.set(hash, true);
  }

  forget(hash: string): void {
    this.tokens.delete(hash);
  }
}
