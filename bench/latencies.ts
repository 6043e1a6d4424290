/** Times that requests took. */
export class Latencies {
  private readonly times: number[] = [];

  add(milliseconds: number): void {
    this.times.push(milliseconds);
  }

  get count(): number {
    return this.times.length;
  }

  summarize(): { p50Ms: number; p99Ms: number } {
    const sorted = Float64Array.from(this.times).sort();
    return { p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) };
  }
}

/** The middle one; NaN of none. */
export function median(figures: readonly number[]): number {
  return quantile(Float64Array.from(figures).sort(), 0.5);
}

/** Between two neighbours in proportion. */
function quantile(sorted: Float64Array, share: number): number {
  const place = (sorted.length - 1) * share;
  const [below = NaN, above = NaN] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  // Between two that are infinite there is nothing.
  return below === above ? below : below + (above - below) * (place - Math.floor(place));
}
