import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { mysqlErrorNumber } from '../database-error.js';

const RETRY_MS = 500;

/**
 * Knows whether the database is away. On a suspicion it is asked on a connection of its own; if it does not answer, it
 * counts as away until it does.
 */
export class DatabaseWatch {
  private readonly logger = new Logger('Database');
  private readonly stopped = new AbortController();
  private looking: Promise<void> | null = null;
  private away = false;
  private answeredAt = -Infinity;

  /**
   * @param ask settles within a short time; it rejects when the database does not answer
   * @param onAway is called when the database turns out to be away
   */
  constructor(
    private readonly ask: () => Promise<void>,
    private readonly onAway: () => void,
  ) {}

  get isAway(): boolean {
    return this.away;
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
    // One connection that takes long to make says nothing against those that answer.
    if (this.answeredAt > since) return;
    this.away = true;
    this.logger.error({ msg: 'the database does not answer', err: reason });
    this.onAway();
    await this.awaitReturn();
    this.away = false;
    if (this.stopped.signal.aborted) return;
    const seconds = Math.round((performance.now() - since) / 100) / 10;
    this.logger.warn({ msg: 'the database answers again', awaySeconds: seconds });
  }

  private async awaitReturn(): Promise<void> {
    const { signal } = this.stopped;
    do await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    while (!signal.aborted && (await this.findSilence()) !== null);
  }

  /** @returns why there is no answer; null when there is one */
  private async findSilence(): Promise<unknown> {
    try {
      await this.ask();
      return null;
    } catch (error) {
      // A server that refuses, having too many connections say, is there.
      return mysqlErrorNumber(error) > 0 ? null : error;
    }
  }
}
