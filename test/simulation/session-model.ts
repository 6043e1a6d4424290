import { judgeReplay, LATE_RUN_MAX, type Replay } from '../../src/token/replay-rule.js';

const GRACE_SECONDS = 30;
export const ACCESS_TOKEN_TTL = 3600;

export type Rule = (replay: Replay) => 'repeat' | 'late' | 'theft';

/** The refresh tokens of one session as the server sees them; times in seconds. */
export class SessionModel {
  /** Newest last; the newest generation is unused and not among them. */
  private readonly used: { usedAt: number; replayedAt: number | null }[] = [];
  private dropped = 0;
  private late = 0;
  private ended = false;

  constructor(private readonly rule: Rule = judgeReplay) {}

  get hasEnded(): boolean {
    return this.ended;
  }

  /** The unused generation. */
  get generation(): number {
    return this.dropped + this.used.length + 1;
  }

  get lateGenerations(): number {
    return this.late;
  }

  /** @returns the generation that the answer holds; null if the session has ended */
  exchange(generation: number, now: number): number | null {
    if (this.ended) return null;
    if (generation === this.generation) this.use(now);
    else if (!this.replay(generation, now)) return null;
    return generation + 1;
  }

  private use(now: number): void {
    this.used.push({ usedAt: now, replayedAt: null });
    if (this.used.length <= 4 * LATE_RUN_MAX) return;
    this.used.splice(0, LATE_RUN_MAX);
    this.dropped += LATE_RUN_MAX;
  }

  /** @returns whether it is answered */
  private replay(generation: number, now: number): boolean {
    const at = generation - this.dropped - 1;
    const shown = this.used[at];
    const verdict = shown
      ? this.rule({
          sinceUse: now - shown.usedAt,
          grace: GRACE_SECONDS,
          accessTokenTtl: ACCESS_TOKEN_TTL,
          isSuccessorUsed: this.generation > generation + 1,
          isOtherDevice: false,
          generations: this.used.slice(Math.max(0, at - LATE_RUN_MAX), at + 1).reverse(),
        })
      : 'theft';
    if (verdict === 'theft' || !shown) {
      this.ended = true;
      return false;
    }
    if (verdict === 'late') {
      if (shown.replayedAt === null) this.late++;
      shown.replayedAt = now;
    }
    return true;
  }
}

/** A generator of random numbers whose seed is given: mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
