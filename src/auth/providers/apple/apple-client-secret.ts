import { createPrivateKey } from 'node:crypto';
import type { JwtService } from '@nestjs/jwt';
import { LRUCache } from 'lru-cache';
import { sha256 } from '../../../common/crypto.js';
import { nowSeconds } from '../../../common/time.js';
import type { AppleSettings } from '../../../applications/provider-settings.service.js';

const LIFETIME_SECONDS = 60 * 60;
/** Replaced this long before it expires, so that it cannot expire on the way. */
const MARGIN_SECONDS = 60;
/** One for each application. */
const SECRETS_MAX = 1000;

/**
 * Signs and caches the JWTs (ES256, valid for an hour) that Apple accepts as client secrets.
 * @see https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret
 */
export class AppleClientSecrets {
  private readonly secrets = new LRUCache<string, string, AppleSettings>({
    max: SECRETS_MAX,
    ttl: (LIFETIME_SECONDS - MARGIN_SECONDS) * 1000,
    ttlResolution: 0,
    // Must be the clock that sets `exp`.
    perf: { now: () => Date.now() },
    fetchMethod: (_key, _expired, { context: apple }) => this.sign(apple),
  });

  /** @param audience Apple's issuer identifier */
  constructor(
    private readonly jwt: JwtService,
    private readonly audience: string,
  ) {}

  get(apple: AppleSettings): Promise<string> {
    return this.secrets.forceFetch(keyOf(apple), { context: apple });
  }

  private sign({ teamId, keyId, clientId, privateKey }: AppleSettings): Promise<string> {
    const issuedAt = nowSeconds();
    return this.jwt.signAsync(
      { iat: issuedAt, exp: issuedAt + LIFETIME_SECONDS },
      {
        algorithm: 'ES256',
        keyid: keyId,
        issuer: teamId,
        audience: this.audience,
        subject: clientId,
        privateKey: createPrivateKey(privateKey),
      },
    );
  }
}

function keyOf(apple: AppleSettings): string {
  return sha256(JSON.stringify([apple.teamId, apple.keyId, apple.clientId, apple.privateKey]));
}
