import { setTimeout as sleep } from 'node:timers/promises';

interface Times {
  /** How old a reading may be. */
  maxAgeMs: number;
  /** How long to wait for a new one. */
  patienceMs: number;
}

/**
 * Reads what may fail or hang, such as a database, for callers that must get an answer: rarely, one reading at a time
 * (so that a hanging one is not joined by more), and with null in the place of what could not be read in time.
 */
export class PatientReading<T> {
  private last: { at: number; value: T | null } | null = null;
  private underWay: Promise<T | null> | null = null;

  constructor(
    private readonly read: () => Promise<T>,
    private readonly times: Times,
  ) {}

  async get(): Promise<T | null> {
    if (this.last && performance.now() - this.last.at < this.times.maxAgeMs) return this.last.value;
    this.underWay ??= this.begin();
    const patience = new AbortController();
    const tooLong = sleep(this.times.patienceMs, null, { signal: patience.signal }).catch(() => null);
    try {
      return await Promise.race([this.underWay, tooLong]);
    } finally {
      patience.abort();
    }
  }

  private async begin(): Promise<T | null> {
    const value = await this.read().catch(() => null);
    this.last = { at: performance.now(), value };
    this.underWay = null;
    return value;
  }
}
