/** A refresh token that is sent although it has been used; times in seconds. */
export interface Replay {
  sinceUse: number;
  /** REFRESH_TOKEN_GRACE. */
  grace: number;
  /** ACCESS_TOKEN_TTL. */
  accessTokenTtl: number;
  /** Whether the token that the first use returned has been used, too. */
  isSuccessorUsed: boolean;
  /** Whether the client names another device than the one that signed in. */
  isOtherDevice: boolean;
  /** The generation itself, then those before it, newest first; as many as are known. */
  generations: readonly UsedGeneration[];
}

/** A used generation of a session's refresh tokens; times in seconds since the epoch. */
export interface UsedGeneration {
  usedAt: number;
  /** When it was replayed last after the grace period; null if never. */
  replayedAt: number | null;
}

/** After longer than this, nobody still waits for a lost answer. */
const LATE_REPLAY_MAX_SECONDS = 14 * 24 * 60 * 60;
/** More generations in a row than a bad network explains, if it loses some answers. */
export const LATE_RUN_MAX = 16;
/** Of those, the ones that were used although a replay had just returned a valid access token. */
const NEEDLESS_MAX = 5;
/** Apps do not replace an access token before this share of its lifetime; many do five minutes early. */
const NEEDLESS_BEFORE = 0.9;

/**
 * Judges a replay. `repeat` returns the successor, as the first use did. `late` does so, too, and counts: the
 * answer may have been lost, or two hold the token. `theft` ends the session.
 *
 * Two holders that refresh in turns need a late replay in each generation. So does an app that loses all of
 * its answers, but it then waits until its access token expires, while the other holder refreshes earlier.
 * @see RFC 9700 section 4.14.2; docs/tokens.md for the simulation that chose the bounds
 */
export function judgeReplay(replay: Replay): 'repeat' | 'late' | 'theft' {
  if (replay.sinceUse <= replay.grace) return 'repeat';
  if (replay.isSuccessorUsed || replay.isOtherDevice) return 'theft';
  if (replay.sinceUse > LATE_REPLAY_MAX_SECONDS) return 'theft';
  const { lateRun, needless } = runOf(replay);
  return lateRun >= LATE_RUN_MAX || needless >= NEEDLESS_MAX ? 'theft' : 'late';
}

/** The generations in a row that needed a late replay, up to this one, and how many were used needlessly. */
function runOf({ generations, accessTokenTtl }: Replay): { lateRun: number; needless: number } {
  let lateRun = 1;
  let needless = 0;
  for (const [at, { usedAt }] of generations.entries()) {
    const before = generations[at + 1];
    if (!before || before.replayedAt === null) break;
    lateRun++;
    if (usedAt < before.replayedAt + NEEDLESS_BEFORE * accessTokenTtl) needless++;
  }
  return { lateRun, needless };
}
