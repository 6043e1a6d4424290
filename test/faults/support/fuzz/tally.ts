import type { PublishedOperation } from './operations.js';

/** How often each operation was called, and answered with what. */
export class Tally {
  private readonly counts = new Map<string, Map<string, number>>();

  constructor(operations: PublishedOperation[]) {
    for (const { route } of operations) this.counts.set(route, new Map());
  }

  add({ route, method }: PublishedOperation, sentMethod: string, status: number): void {
    const byStatus = this.counts.get(route)!;
    const key = sentMethod === method ? String(status) : `other ${status}`;
    byStatus.set(key, (byStatus.get(key) ?? 0) + 1);
  }

  countOf(route: string, key?: string): number {
    const byStatus = this.counts.get(route) ?? new Map<string, number>();
    if (key !== undefined) return byStatus.get(key) ?? 0;
    return [...byStatus.values()].reduce((sum, count) => sum + count, 0);
  }

  get total(): number {
    return [...this.counts.keys()].reduce((sum, route) => sum + this.countOf(route), 0);
  }

  /** A line an operation: how many requests, then how many of each status. */
  toString(): string {
    return [...this.counts]
      .map(([route, byStatus]) => {
        const statuses = [...byStatus].sort().map(([status, count]) => `${status}:${count}`);
        return `${route.padEnd(52)} ${String(this.countOf(route)).padStart(5)}  ${statuses.join(' ')}`;
      })
      .join('\n');
  }
}
