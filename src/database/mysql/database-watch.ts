import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { mysqlErrorNumber } from '../database-error.js';

const RETRY_MS = 500;

/**
 * Knows whether the database is unreachable. After a suspicious event it is checked on a separate connection;
 * if it does not answer, it counts as unreachable until it does.
 */
export class DatabaseWatch {
  private readonly logger = new Logger('Database');
  private readonly stopped = new AbortController();
  private looking: Promise<void> | null = null;
  private unreachable = false;
  private answeredAt = -Infinity;

  /**
   * @param ask settles quickly; rejects when the database does not answer
   * @param onAway is called when the database becomes unreachable
   */
  constructor(
    private readonly ask: () => Promise<void>,
    private readonly onAway: () => void,
  ) {}

  get isAway(): boolean {
    return this.unreachable;
  }

  /** A statement has been answered. */
  noteAnswer(): void {
    this.answeredAt = performance.now();
  }

  /** A connection was lost, or an answer is late. */
  suspect(): void {
    if (this.stopped.signal.aborted) return;
    this.looking ??= this.look().finally(() => (this.looking = null));
  }

  stop(): void {
    this.stopped.abort();
  }

  private async look(): Promise<void> {
    const since = performance.now();
    const reason = await this.findSilence();
    if (reason === null || this.stopped.signal.aborted) return;
    // A slow new connection does not matter while other connections get answers.
    if (this.answeredAt > since) return;
    this.unreachable = true;
    this.logger.error({ msg: 'the database does not answer', err: reason });
    this.onAway();
    await this.awaitReturn();
    this.unreachable = false;
    if (this.stopped.signal.aborted) return;
    const seconds = Math.round((performance.now() - since) / 100) / 10;
    this.logger.warn({ msg: 'the database answers again', awaySeconds: seconds });
  }

  private async awaitReturn(): Promise<void> {
    const { signal } = this.stopped;
    do await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    while (!signal.aborted && (await this.findSilence()) !== null);
  }

  /** @returns the reason of a missing answer; null if the database answers */
  private async findSilence(): Promise<unknown> {
    try {
      await this.ask();
      return null;
    } catch (error) {
      // A server that refuses, for example because of too many connections, is reachable.
      return mysqlErrorNumber(error) > 0 ? null : error;
    }
  }
}
