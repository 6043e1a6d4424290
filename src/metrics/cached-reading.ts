import { LRUCache } from 'lru-cache';
import pTimeout from 'p-timeout';

interface Times {
  /** How old a reading may be. */
  maxAgeMs: number;
  /** How long to wait for a new one. */
  timeoutMs: number;
}

/**
 * Reads what may fail or hang, such as a database, for callers that must get an answer: rarely, one reading at a time
 * (so that a hanging one is not joined by more), and with null in the place of what could not be read in time.
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
