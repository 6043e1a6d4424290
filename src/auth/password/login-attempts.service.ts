import { Injectable } from '@nestjs/common';
import { comparisonKey } from '../../common/text-keys.js';
import { Limits } from '../../limits/limits.service.js';
import { networkOf } from '../../limits/network.js';

interface Attempt {
  applicationId: number;
  /** Mail or handle as it was typed, whether the account exists or not. */
  account: string;
  /** 0 for an unknown account. */
  userId: number;
  address: string;
  /** Null for a device unknown to the account; see `KnownDevicesService.match`. */
  device: { hash: string; isSure: boolean } | null;
}

/** Settles an attempt once the password has been checked. */
export interface BegunAttempt {
  /** The password was right or could not be checked: the attempt does not count. */
  refund: () => Promise<void>;
  /** The password was wrong. */
  fail: () => Promise<void>;
}

/**
 * Limits password guessing: per account for all unknown devices together, per address, and separately for
 * each device that the account knows, so that strangers cannot lock the owner out there.
 * @see OWASP, "Slow Down Online Guessing Attacks with Device Cookies"
 */
@Injectable()
export class LoginAttempts {
  constructor(private readonly limits: Limits) {}

  /**
   * Counts an attempt before the password is checked, so that concurrent attempts are all counted.
   * @throws PlutoError tooManyRequests
   */
  async begin({ applicationId, account, userId, address, device }: Attempt): Promise<BegunAttempt> {
    // All spellings of an account count together; unknown accounts count by their normalised identifier.
    const target = userId === 0 ? `${applicationId}:${comparisonKey(account.trim())}` : String(userId);
    if (device?.isSure) return this.count('login-device', `${target}:${device.hash}`);

    // An address may be shared with strangers: its device limit is separate, but the address limit still
    // applies.
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
