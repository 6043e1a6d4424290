import { once } from 'node:events';
import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { RequestLimit } from '../config/request-limits.js';
import { Settings } from '../config/settings.js';

/** How long a request waits for Redis before it is counted in the process. */
const PATIENCE_MS = 500;
const START_PATIENCE_MS = 1000;
const RECONNECT_MS = 1000;
/** Minimum time between two warnings while Redis is reachable but does not count. */
const WARN_INTERVAL_MS = 60_000;

/** Counts tries per key; `consume` rejects with the refusal when none is left. */
export interface Counter {
  consume(key: string): Promise<RateLimiterRes>;
  reward(key: string): Promise<RateLimiterRes>;
  get(key: string): Promise<RateLimiterRes | null>;
}

/** Counts tries in Redis if it is set; without it, or while it is unreachable, in the process. */
@Injectable()
export class LimitStores implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('Limits');
  private redis: Redis | null = null;
  private isGone = false;
  private warnedAt = -Infinity;

  constructor(private readonly settings: Settings) {}

  /** An unreachable Redis does not prevent the start. */
  async onModuleInit(): Promise<void> {
    const { redisUrl, rateLimit } = this.settings;
    if (redisUrl === undefined || !rateLimit) return;
    this.redis = await connect(redisUrl);
    this.redis.on('ready', () => this.logReachable());
    this.redis.on('error', (error: Error) => this.warn(error));
    const signal = AbortSignal.timeout(START_PATIENCE_MS);
    await once(this.redis, 'ready', { signal }).catch((error: Error) => this.warn(error));
  }

  /** Whether Redis counts now; null if it is not used. */
  get isShared(): boolean | null {
    return this.redis === null ? null : this.redis.status === 'ready';
  }

  onApplicationShutdown(): void {
    this.redis?.disconnect();
  }

  /** Opens a separate counter, where each key has a number of tries within a time from its first one. */
  open(name: string, { tries, seconds }: RequestLimit): Counter {
    const options = { keyPrefix: `pluto:limit:${name}`, points: tries, duration: seconds };
    const own = new RateLimiterMemory(options);
    if (!this.redis) return own;
    const shared = new RateLimiterRedis({
      ...options,
      storeClient: this.redis,
      rejectIfRedisNotReady: true,
    });
    return {
      consume: (key) => this.insured(shared.consume(key), () => own.consume(key)),
      reward: (key) => this.insured(shared.reward(key), () => own.reward(key)),
      get: (key) => this.insured(shared.get(key), () => own.get(key)),
    };
  }

  /** Counts in the process if Redis fails for any reason: unreachable, read-only, full. */
  private async insured<T>(counted: Promise<T>, inProcess: () => Promise<T>): Promise<T> {
    try {
      return await counted;
    } catch (error) {
      if (error instanceof RateLimiterRes) throw error;
      this.warn(error as Error);
      return inProcess();
    }
  }

  private warn(error: Error): void {
    if (this.isGone) return;
    const now = performance.now();
    // A reachable Redis that fails to count gives no sign of recovery, so the warning is repeated at
    // intervals.
    const isGone = !this.isShared;
    if (!isGone && now < this.warnedAt + WARN_INTERVAL_MS) return;
    this.warnedAt = now;
    this.isGone = isGone;
    this.logger.warn({ msg: `${faultOf(error, isGone)}: each process counts limits alone`, err: error });
  }

  private logReachable(): void {
    if (this.isGone) this.logger.log('Redis is reachable again: limits are shared');
    this.isGone = false;
  }
}

function faultOf({ name, message }: Error, isGone: boolean): string {
  if (isRedisRefusal(message)) return 'Redis refuses the user or password of REDIS_URL';
  if (!isGone || name === 'ReplyError') return 'Redis answers with an error';
  return 'Redis is unreachable';
}

/** Whether Redis answers, but with a refusal of the credentials; also how Redis before version 6 says so. */
export function isRedisRefusal(message: string): boolean {
  return /^(WRONGPASS|NOAUTH|NOPERM)\b|invalid password|without any password/i.test(message);
}

async function connect(url: string): Promise<Redis> {
  const { Redis } = await import('ioredis');
  return new Redis(url, {
    connectionName: 'pluto',
    // Count in the process instead of making the request wait.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: START_PATIENCE_MS,
    commandTimeout: PATIENCE_MS,
    // Disconnects a Redis that does not answer, so that only the first requests wait for it.
    socketTimeout: PATIENCE_MS,
    retryStrategy: () => RECONNECT_MS,
  });
}
