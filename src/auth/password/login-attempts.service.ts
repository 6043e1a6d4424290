import { Injectable } from '@nestjs/common';
import { comparisonKey } from '../../common/text-keys.js';
import { Limits } from '../../limits/limits.service.js';
import { networkOf } from '../../limits/network.js';

interface Attempt {
  applicationId: number;
  /** Mail or handle as it was typed, whether there is such an account or not. */
  account: string;
  /** 0 where there is none. */
  userId: number;
  address: string;
  /** Null where the account does not know it; see `KnownDevicesService.recognize`. */
  device: { hash: string; isSure: boolean } | null;
}

/** What becomes of an attempt once the password has been looked at. */
export interface BegunAttempt {
  /** It is not to count: the password was right, or could not be looked at. */
  refund: () => Promise<void>;
  /** The password was wrong. */
  fail: () => Promise<void>;
}

/**
 * Bounds the guessing of passwords: by account for strangers all together, by address, and for each device that the
 * account knows by itself, so that strangers cannot lock the owner out there.
 * @see OWASP, "Slow Down Online Guessing Attacks with Device Cookies"
 */
@Injectable()
export class LoginAttempts {
  constructor(private readonly limits: Limits) {}

  /**
   * Counts an attempt before the password is looked at, so that attempts at once count each.
   * @throws PlutoError tooManyRequests
   */
  async begin({ applicationId, account, userId, address, device }: Attempt): Promise<BegunAttempt> {
    // However it is written, an account is one; where there is none, what would be looked up as the same is.
    const target = userId === 0 ? `${applicationId}:${comparisonKey(account.trim())}` : String(userId);
    if (device?.isSure) return this.count('login-device', `${target}:${device.hash}`);

    // An address may be shared with strangers: there the account has tries of its own, and the address as few as ever.
    const network = networkOf(address);
    await this.limits.assertLeft('login-failures', network);
    const attempt = device
      ? await this.count('login-device', `${target}:${device.hash}`)
      : await this.count('login-account', target);
    return {
      ...attempt,
      fail: async () => void (await this.limits.allows('login-failures', network)),
    };
  }

  private async count(name: 'login-account' | 'login-device', key: string): Promise<BegunAttempt> {
    await this.limits.count(name, key);
    return { refund: () => this.limits.refund(name, key), fail: () => Promise.resolve() };
  }
}
