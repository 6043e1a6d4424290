import { Injectable } from '@nestjs/common';
import { RateLimiterRes } from 'rate-limiter-flexible';
import { hmac } from '../common/crypto.js';
import { PlutoError } from '../common/errors.js';
import type { LimitName } from '../config/request-limits.js';
import { SecretKey } from '../config/secret-key.js';
import { Settings } from '../config/settings.js';
import { LimitStores, type Counter } from './limit-stores.service.js';

/** Limits how often something may be tried. */
@Injectable()
export class Limits {
  private readonly counters = new Map<LimitName, Counter>();
  /** Keys are hashed, so that Redis does not store addresses and mails. */
  private readonly hashKey: Buffer;

  constructor(
    private readonly stores: LimitStores,
    private readonly settings: Settings,
    secretKey: SecretKey,
  ) {
    this.hashKey = secretKey.derive('request-limits');
  }

  /**
   * Counts one try.
   * @throws PlutoError tooManyRequests, with the seconds until the next try
   */
  async count(name: LimitName, key: string): Promise<void> {
    if (!this.settings.rateLimit) return;
    try {
      await this.counterOf(name).consume(this.hash(key));
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      // A refused try is not counted, so refunds free the limit.
      await this.refund(name, key);
      throw tooMany(refusal);
    }
  }

  /**
   * Runs work that counts as a try if it succeeds. It is counted before and refunded on failure, so that
   * concurrent tries all count.
   * @throws PlutoError tooManyRequests | whatever the work throws
   */
  async whileLeft<T>(name: LimitName, key: string, work: () => Promise<T>): Promise<T> {
    await this.count(name, key);
    try {
      return await work();
    } catch (error) {
      await this.refund(name, key);
      throw error;
    }
  }

  /** As `count`, but without an error. @returns whether the try is within the limit */
  async allows(name: LimitName, key: string): Promise<boolean> {
    try {
      await this.count(name, key);
      return true;
    } catch (error) {
      if (error instanceof PlutoError && error.key === 'tooManyRequests') return false;
      throw error;
    }
  }

  /** Gives back a try that turned out to be harmless. */
  async refund(name: LimitName, key: string): Promise<void> {
    if (this.settings.rateLimit) await this.counterOf(name).reward(this.hash(key));
  }

  /**
   * Checks the limit without counting, for tries that are counted afterwards only if they fail.
   * @throws PlutoError tooManyRequests when no try is left
   */
  async assertLeft(name: LimitName, key: string): Promise<void> {
    if (!this.settings.rateLimit) return;
    const counted = await this.counterOf(name).get(this.hash(key));
    const isLeft = counted === null || counted.consumedPoints < this.settings.requestLimits[name].tries;
    if (!isLeft) throw tooMany(counted);
  }

  private counterOf(name: LimitName): Counter {
    const counter = this.counters.get(name) ?? this.stores.open(name, this.settings.requestLimits[name]);
    this.counters.set(name, counter);
    return counter;
  }

  private hash(key: string): string {
    return hmac(this.hashKey, key);
  }
}

function tooMany({ msBeforeNext }: RateLimiterRes): PlutoError {
  const retryAfterSeconds = Math.max(1, Math.ceil(msBeforeNext / 1000));
  return new PlutoError('tooManyRequests', { retryAfterSeconds });
}
