import { judgeReplay, LATE_RUN_MAX, type Replay } from '../../src/token/replay-rule.js';
import { phones, simulatePhones } from '../simulation/phones.js';
import { randomNumbers } from '../simulation/session-model.js';
import { simulateTheft, thefts } from '../simulation/thieves.js';

const YEARS = 40;
const THEFTS = 1000;
const DAY_SECONDS = 86_400;

const replay = (changes: Partial<Replay> = {}): Replay => ({
  sinceUse: 60,
  grace: 30,
  accessTokenTtl: 3600,
  isSuccessorUsed: false,
  isOtherDevice: false,
  generations: [{ usedAt: 100_000, replayedAt: null }],
  ...changes,
});

/** Generations of which each but the newest was replayed late; newest first. */
const lateGenerations = (count: number, secondsApart: number) =>
  Array.from({ length: count }, (_, at) => {
    const usedAt = 1_000_000 - at * secondsApart;
    return { usedAt, replayedAt: at === 0 ? null : usedAt + 1800 };
  });

describe('a refresh token that is replayed', () => {
  it.each<[string, Partial<Replay>, string]>([
    ['within the grace period', { sinceUse: 30, isSuccessorUsed: true, isOtherDevice: true }, 'repeat'],
    ['after it', { sinceUse: 31 }, 'late'],
    ['after its successor was used', { sinceUse: 31, isSuccessorUsed: true }, 'theft'],
    ['by another device', { isOtherDevice: true }, 'theft'],
    ['after fourteen days', { sinceUse: 14 * DAY_SECONDS }, 'late'],
    ['a second later', { sinceUse: 14 * DAY_SECONDS + 1 }, 'theft'],
    [
      'in each generation, each used when its access token had expired',
      { generations: lateGenerations(LATE_RUN_MAX - 1, 5400) },
      'late',
    ],
    ['in one generation more', { generations: lateGenerations(LATE_RUN_MAX, 5400) }, 'theft'],
    ['in five generations, each used earlier', { generations: lateGenerations(5, 3600) }, 'late'],
    ['in six', { generations: lateGenerations(6, 3600) }, 'theft'],
    [
      'in many that were not replayed',
      { generations: lateGenerations(20, 3600).map((one) => ({ ...one, replayedAt: null })) },
      'late',
    ],
  ])('%s', (_, changes, verdict) => {
    expect(judgeReplay(replay(changes))).toBe(verdict);
  });
});

describe('the refresh rule, simulated', () => {
  it.each(phones)('signs nobody out: $name', (phone) => {
    const { refreshes, lateGenerations, signedOut } = simulatePhones(phone, YEARS, randomNumbers(7));
    expect(signedOut).toBe(0);
    // Enough of what the rule must bear; else the simulation shows nothing.
    expect(refreshes).toBeGreaterThan(1000 * YEARS);
    expect(lateGenerations / refreshes).toBeGreaterThan(0.02);
  });

  const thiefOf = (name: string) => {
    const random = randomNumbers(11);
    const theft = thefts.find((one) => one.name.startsWith(name))!;
    return Array.from({ length: THEFTS }, () => simulateTheft(theft, random));
  };
  const medianOf = (name: string) =>
    thiefOf(name)
      .map(({ days, refreshes }) => (days === null ? Infinity : refreshes))
      .sort((a, b) => a - b)[THEFTS / 2];

  it.each([
    ['in lock-step', 6],
    ['owner when used', 6],
    ['both when used', 6],
    ['copy of an older token', 6],
  ])('notices a thief %s', (name, refreshes) => {
    expect(medianOf(name)).toBeLessThanOrEqual(refreshes);
    expect(thiefOf(name).every(({ days }) => days !== null)).toBe(true);
  });

  it('does not notice a thief in lock-step if late replays are not counted', () => {
    const random = randomNumbers(13);
    const [lockStep] = thefts;
    const uncounted = Array.from({ length: 100 }, () =>
      simulateTheft(lockStep!, random, (one) =>
        judgeReplay({ ...one, generations: one.generations.slice(0, 1) }),
      ),
    );
    expect(uncounted.filter(({ refreshes }) => refreshes > 20).length).toBeGreaterThan(50);
  });
});
