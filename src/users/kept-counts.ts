import { LRUCache } from 'lru-cache';

/** Fewer are counted in some milliseconds. */
export const KEPT_FROM = 10_000;
export const KEPT_MS = 10_000;
const QUESTIONS_MAX = 100;

/**
 * Counts of very many accounts, for which a whole index is read: they are kept in memory for ten seconds, and taken once for all
 * who ask meanwhile. Counts whose total is below `KEPT_FROM` are never kept, and always taken after they were asked for. How many
 * they are decides, not how long it took, so that the same accounts are counted the same way on every machine.
 */
export class KeptCounts<Counts extends { total: number }> {
  private readonly kept = new LRUCache<string, Counts>({
    max: QUESTIONS_MAX,
    ttl: KEPT_MS,
    ttlResolution: 0,
  });
  private readonly underWay = new Map<string, Promise<Counts>>();

  /**
   * @param question all that the counts depend on, besides the time
   * @returns counts that are at most ten seconds old, or as old as it took to count them
   * @throws what `count` throws, to all who wait for it; nothing is kept then
   */
  async get(question: string, count: () => Promise<Counts>): Promise<Counts> {
    const known = this.kept.get(question) ?? this.underWay.get(question);
    const counts = known && (await known);
    if (counts && isKept(counts)) return counts;
    const counting = this.count(question, count);
    this.underWay.set(question, counting);
    try {
      return await counting;
    } finally {
      if (this.underWay.get(question) === counting) this.underWay.delete(question);
    }
  }

  private async count(question: string, count: () => Promise<Counts>): Promise<Counts> {
    const start = performance.now();
    const counts = await count();
    if (isKept(counts)) this.kept.set(question, counts, { start });
    return counts;
  }
}

function isKept({ total }: { total: number }): boolean {
  return total >= KEPT_FROM;
}
