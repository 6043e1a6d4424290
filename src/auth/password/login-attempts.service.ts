import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { mailKey } from '../../common/mail-addresses.js';
import type { LimitName } from '../../config/request-limits.js';
import { Limits } from '../../limits/limits.service.js';
import { networkOf } from '../../limits/network.js';
import { KnownDevicesService } from '../devices/known-devices.service.js';
import { isPaused, LoginFailures } from './login-failures.service.js';

interface Attempt {
  applicationId: number;
  /** Mail or handle as it was typed, whether the account exists or not. */
  account: string;
  /** 0 for an unknown account. */
  userId: number;
  address: string;
  /** The authenticated OAuth client that sends the password of its user; its address is not the user's. */
  clientKey: string | undefined;
  /** Null for a device unknown to the account; see `KnownDevicesService.match`. */
  device: { hash: string; isSure: boolean } | null;
}

/** Settles an attempt once the password has been checked. */
export interface BegunAttempt {
  /** Whether even the right password is refused, with the same answer as a wrong one. */
  isRefused: boolean;
  /** Whether wrong passwords were counted before, which `forget` must delete. */
  hasFailures: boolean;
  /** The password was right or could not be checked: the attempt does not count. */
  refund: () => Promise<void>;
  /** The password was wrong. @returns what to record in the transaction of its event */
  fail: () => Promise<(manager: EntityManager) => Promise<void>>;
}

/**
 * Limits password guessing, by what was typed, by account for all unknown devices together, by address, and
 * separately for each device that the account knows, so that strangers cannot lock the owner out there. What
 * only an existing account can use up is answered like a wrong password: see docs/security.md.
 * @see OWASP, "Slow Down Online Guessing Attacks with Device Cookies"
 */
@Injectable()
export class LoginAttempts {
  constructor(
    private readonly limits: Limits,
    private readonly failures: LoginFailures,
    private readonly knownDevices: KnownDevicesService,
  ) {}

  /**
   * Counts an attempt before the password is checked, so that concurrent attempts are all counted.
   * @throws PlutoError tooManyRequests
   */
  async begin(attempt: Attempt): Promise<BegunAttempt> {
    const { address, clientKey, device } = attempt;
    const failures = await this.failures.find(attempt.userId);
    const hasFailures = failures !== null;
    if (device?.isSure) return { ...(await this.beginOnDevice(attempt, device.hash)), hasFailures };

    // An address may be shared with strangers: its device limit is separate, but the address limit still
    // applies.
    const network = clientKey === undefined ? networkOf(address) : null;
    if (network !== null) await this.limits.assertLeft('login-failures', network);
    const begun = device
      ? await this.beginOnDevice(attempt, device.hash)
      : await this.beginElsewhere(attempt, failures !== null && isPaused(failures));
    const fail = async () => {
      if (network !== null) await this.limits.allows('login-failures', network);
      return begun.fail();
    };
    return { ...begun, fail, hasFailures };
  }

  /** Forgets what was counted, in the transaction that relies on the right password. */
  forget(manager: EntityManager, userId: number): Promise<void> {
    return this.failures.forget(manager, userId);
  }

  private async beginOnDevice({ userId }: Attempt, hash: string): Promise<Omit<BegunAttempt, 'hasFailures'>> {
    const refund = await this.count('login-device', `${userId}:${hash}`);
    const record = (manager: EntityManager) => this.knownDevices.noteFailure(manager, userId, hash);
    return { isRefused: false, refund, fail: () => Promise.resolve(record) };
  }

  /** On a device that the account does not know. All spellings of a mail or handle count together. */
  private async beginElsewhere(
    { applicationId, account, userId, clientKey }: Attempt,
    isInPause: boolean,
  ): Promise<Omit<BegunAttempt, 'hasFailures'>> {
    const through = clientKey === undefined ? '' : `${clientKey}:`;
    const refundTyped = await this.count('login-typed', `${through}${applicationId}:${mailKey(account)}`);
    const own = `${through}${userId === 0 ? `${applicationId}:${mailKey(account)}` : userId}`;
    const isLeft = await this.limits.allows('login-account', own);
    const isRefused = !isLeft || isInPause;
    return {
      isRefused,
      refund: async () => {
        await refundTyped();
        if (isLeft) await this.limits.refund('login-account', own);
      },
      fail: () =>
        // A refused password was not checked, so it is no guess.
        Promise.resolve((manager) => this.failures.note(manager, isRefused ? 0 : userId)),
    };
  }

  private async count(name: LimitName, key: string): Promise<() => Promise<void>> {
    await this.limits.count(name, key);
    return () => this.limits.refund(name, key);
  }
}
