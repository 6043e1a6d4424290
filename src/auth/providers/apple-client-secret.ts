import { createPrivateKey } from 'node:crypto';
import { SignJWT } from 'jose';
import { sha256 } from '../../common/crypto.js';
import { nowSeconds } from '../../common/time.js';
import type { AppleSettings } from '../../rbac/provider-settings.service.js';

const LIFETIME_SECONDS = 60 * 60;
/** Not handed out any more when it would expire on the way. */
const MARGIN_SECONDS = 60;

/**
 * Makes and keeps the tokens that stand for a client's secret at Apple: JWTs, ES256, good for an hour.
 * @see https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret
 */
export class AppleClientSecrets {
  private readonly made = new Map<string, { secret: Promise<string>; expiresAt: number }>();

  /** @param audience Apple, as it calls itself */
  constructor(private readonly audience: string) {}

  get(apple: AppleSettings): Promise<string> {
    const now = nowSeconds();
    const known = this.made.get(keyOf(apple));
    if (known && now < known.expiresAt - MARGIN_SECONDS) return known.secret;
    this.dropExpired(now);
    const expiresAt = now + LIFETIME_SECONDS;
    const secret = this.sign(apple, now, expiresAt);
    this.made.set(keyOf(apple), { secret, expiresAt });
    return secret;
  }

  private async sign(
    { teamId, keyId, clientId, privateKey }: AppleSettings,
    issuedAt: number,
    expiresAt: number,
  ): Promise<string> {
    return new SignJWT()
      .setProtectedHeader({ alg: 'ES256', kid: keyId })
      .setIssuer(teamId)
      .setIssuedAt(issuedAt)
      .setExpirationTime(expiresAt)
      .setAudience(this.audience)
      .setSubject(clientId)
      .sign(createPrivateKey(privateKey));
  }

  private dropExpired(now: number): void {
    for (const [key, { expiresAt }] of this.made) if (expiresAt <= now) this.made.delete(key);
  }
}

function keyOf(apple: AppleSettings): string {
  return sha256(JSON.stringify([apple.teamId, apple.keyId, apple.clientId, apple.privateKey]));
}
