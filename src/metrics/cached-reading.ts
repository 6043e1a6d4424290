import { LRUCache } from 'lru-cache';
import pTimeout from 'p-timeout';

interface Times {
  /** Maximum age of a cached reading. */
  maxAgeMs: number;
  /** Maximum wait for a new reading. */
  timeoutMs: number;
}

/**
 * Caches a reading that may fail or hang, such as of a database, for callers that need a result in time. Only
 * one reading runs at a time, so that hanging ones do not pile up. The result is null if the reading fails or
 * times out.
 */
export class CachedReading<T> {
  private readonly readings: LRUCache<'last', { value: T | null }>;

  constructor(
    read: () => Promise<T>,
    private readonly times: Times,
  ) {
    this.readings = new LRUCache<'last', { value: T | null }>({
      max: 1,
      ttl: times.maxAgeMs,
      ttlResolution: 0,
      fetchMethod: async () => ({ value: await read().catch(() => null) }),
    });
  }

  async get(): Promise<T | null> {
    const { value } = await pTimeout(this.readings.forceFetch('last'), {
      milliseconds: this.times.timeoutMs,
      fallback: () => ({ value: null }),
    });
    return value;
  }
}
