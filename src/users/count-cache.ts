import { LRUCache } from 'lru-cache';

/** Fewer are counted within milliseconds. */
export const CACHED_FROM = 10_000;
export const CACHED_MS = 10_000;
const QUESTIONS_MAX = 100;

/**
 * Counts of very many accounts, for which a whole index is read: they are cached for ten seconds, and counted once for all who
 * ask meanwhile. Counts whose total is below `CACHED_FROM` are not cached. The total decides, not the time that it took,
 * so that the same accounts are counted the same way on every machine.
 */
export class CountCache<Counts extends { total: number }> {
  private readonly counts = new LRUCache<string, Counts, () => Promise<Counts>>({
    max: QUESTIONS_MAX,
    ttl: CACHED_MS,
    ttlResolution: 0,
    fetchMethod: (_question, _stale, { context: count }) => count(),
  });

  /**
   * @param question all that the counts depend on, apart from the time
   * @throws what `count` throws, to all who wait for it; nothing is cached then
   */
  async get(question: string, count: () => Promise<Counts>): Promise<Counts> {
    const counts = await this.counts.forceFetch(question, { context: count });
    if (counts.total < CACHED_FROM) this.counts.delete(question);
    return counts;
  }
}
