import { LRUCache } from 'lru-cache';

/** Smaller counts are cheap enough to repeat. */
export const CACHED_FROM = 10_000;
export const CACHED_MS = 10_000;
const QUESTIONS_MAX = 100;

/**
 * Caches counts of many accounts, which read a whole index, for ten seconds; concurrent callers share one
 * count. Counts whose total is below `CACHED_FROM` are not cached. The total decides, not the time taken, so
 * that every machine behaves the same.
 */
export class CountCache<Counts extends { total: number }> {
  private readonly counts = new LRUCache<string, Counts, () => Promise<Counts>>({
    max: QUESTIONS_MAX,
    ttl: CACHED_MS,
    ttlResolution: 0,
    fetchMethod: (_question, _stale, { context: count }) => count(),
  });

  /**
   * @param question identifies everything that the counts depend on, except time
   * @throws what `count` throws, to all callers that wait for it; nothing is cached then
   */
  async get(question: string, count: () => Promise<Counts>): Promise<Counts> {
    const counts = await this.counts.forceFetch(question, { context: count });
    if (counts.total < CACHED_FROM) this.counts.delete(question);
    return counts;
  }
}
