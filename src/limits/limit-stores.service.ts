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
/** Not with every request. */
const TELL_AGAIN_MS = 60_000;

/** Counts tries by key; `consume` rejects with the refusal when there are no more. */
export interface Counter {
  consume(key: string): Promise<RateLimiterRes>;
  reward(key: string): Promise<RateLimiterRes>;
  get(key: string): Promise<RateLimiterRes | null>;
}

/** Where tries are counted: in Redis where one is set, and in the process without it or while it is away. */
@Injectable()
export class LimitStores implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('Limits');
  private redis: Redis | null = null;
  private isAway = false;
  private toldAt = -Infinity;

  constructor(private readonly settings: Settings) {}

  /** A Redis that is not there does not keep Pluto from starting. */
  async onModuleInit(): Promise<void> {
    const { redisUrl, rateLimit } = this.settings;
    if (redisUrl === undefined || !rateLimit) return;
    this.redis = await connect(redisUrl);
    this.redis.on('ready', () => this.tellBack());
    this.redis.on('error', (error: Error) => this.tellAway(error));
    const signal = AbortSignal.timeout(START_PATIENCE_MS);
    await once(this.redis, 'ready', { signal }).catch((error: Error) => this.tellAway(error));
  }

  onApplicationShutdown(): void {
    this.redis?.disconnect();
  }

  /** A counter of its own; each key has so many tries from its first one on. */
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

  /** Counts in the process what Redis does not count, for whatever reason: away, read-only, full. */
  private async insured<T>(counted: Promise<T>, inProcess: () => Promise<T>): Promise<T> {
    try {
      return await counted;
    } catch (error) {
      if (error instanceof RateLimiterRes) throw error;
      this.tellAway(error as Error);
      return inProcess();
    }
  }

  private isReady(): boolean {
    return this.redis?.status === 'ready';
  }

  private tellAway(error: Error): void {
    if (this.isAway) return;
    const now = performance.now();
    // One that is there and does not count gives no sign when it does again: it is told now and then.
    const isGone = !this.isReady();
    if (!isGone && now < this.toldAt + TELL_AGAIN_MS) return;
    this.toldAt = now;
    this.isAway = isGone;
    this.logger.warn({ msg: 'Redis is away: limits are counted in each process by itself', err: error });
  }

  private tellBack(): void {
    if (this.isAway) this.logger.log('Redis is back: limits are shared again');
    this.isAway = false;
  }
}

async function connect(url: string): Promise<Redis> {
  const { Redis } = await import('ioredis');
  return new Redis(url, {
    connectionName: 'pluto',
    // A request is counted in the process rather than kept waiting.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: START_PATIENCE_MS,
    commandTimeout: PATIENCE_MS,
    // A Redis that answers nothing is disconnected, so that only the first requests wait for it.
    socketTimeout: PATIENCE_MS,
    retryStrategy: () => RECONNECT_MS,
  });
}
