import { ACCESS_TOKEN_TTL, type Rule, SessionModel } from './session-model.js';

const HOUR = 3600;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
const TIMEOUT_SECONDS = 10;

/** How an app and its network behave; times in seconds, the rest probabilities. */
export interface Phone {
  name: string;
  /** Mean time from one use of the app to the next. */
  betweenUses: number;
  /** Mean length of a use. */
  useLength: number;
  requestLost: number;
  answerLost: number;
  /** How long a bad network lasts; 0 if each answer is lost independently. */
  badSpell: number;
  /** That a second process of the app refreshes at about the same time. */
  parallel: number;
  /** That the app is killed before it has stored the answer. */
  killed: number;
  /** That the phone is offline after a use, for up to seven days. */
  offline: number;
  /** Whether the app tries again while it is in use. */
  retries: boolean;
  /** Whether it refreshes although its access token is valid. */
  refreshesEachUse: boolean;
  /** How long before the access token expires the app refreshes. */
  earlyBy: number;
}

const typical: Phone = {
  name: 'used 12 times a day',
  betweenUses: 2 * HOUR,
  useLength: 180,
  requestLost: 0.1,
  answerLost: 0.3,
  badSpell: 0,
  parallel: 0.2,
  killed: 0.005,
  offline: 0.003,
  retries: true,
  refreshesEachUse: false,
  earlyBy: 0,
};
const alwaysOn: Phone = { ...typical, betweenUses: 60, useLength: 6 * HOUR };

export const phones: Phone[] = [
  typical,
  { ...alwaysOn, name: 'always on, refreshes every hour' },
  { ...alwaysOn, name: 'always on, 5 minutes early, bad spells', earlyBy: 300, badSpell: 300 },
  { ...alwaysOn, name: 'always on, 5 minutes early, no retries', earlyBy: 300, retries: false },
  { ...typical, name: 'short uses (30 s), 24 a day', betweenUses: HOUR, useLength: 30 },
  { ...typical, name: 'bad spells of 5 minutes', badSpell: 300 },
  { ...typical, name: 'no retries while in use', retries: false },
  { ...typical, name: 'refreshes at each use', refreshesEachUse: true },
];

/** Apps that replace valid access tokens on a bad network: for them the rule sometimes ends a session. */
export const wastefulPhones: Phone[] = [
  { ...typical, name: 'refreshes at each use, bad spells', refreshesEachUse: true, badSpell: 300 },
  { ...typical, name: 'refreshes at each use, no retries', refreshesEachUse: true, retries: false },
  { ...alwaysOn, name: 'always on, 10 minutes early, bad spells', earlyBy: 600, badSpell: 300 },
];

export interface PhoneYears {
  sessionYears: number;
  refreshes: number;
  lateGenerations: number;
  signedOut: number;
}

/** Lets sessions of one kind of phone live for the given number of years. */
export function simulatePhones(phone: Phone, years: number, random: () => number, rule?: Rule): PhoneYears {
  const sum: PhoneYears = { sessionYears: years, refreshes: 0, lateGenerations: 0, signedOut: 0 };
  for (let year = 0; year < years;) {
    const session = new SessionModel(rule);
    const lived = liveFor(phone, session, (years - year) * YEAR, random);
    year += lived / YEAR;
    sum.refreshes += session.generation - 1;
    sum.lateGenerations += session.lateGenerations;
    if (!session.hasEnded) break;
    sum.signedOut++;
  }
  return sum;
}

/** @returns the seconds until the session ended, or `seconds` */
function liveFor(phone: Phone, session: SessionModel, seconds: number, random: () => number): number {
  const exponential = (mean: number) => -mean * Math.log(1 - random());
  let held = 1;
  let expiresAt = 0;
  let now = 0;
  while (now < seconds && !session.hasEnded) {
    const end = now + exponential(phone.useLength);
    if (phone.refreshesEachUse) expiresAt = now;
    while (!session.hasEnded) {
      now = Math.max(now, expiresAt);
      if (now >= end) break;
      const answer = refreshDuringUse(phone, session, { held, now, end }, random);
      now = answer.now;
      if (answer.generation === null) break;
      held = answer.generation;
      expiresAt = now + ACCESS_TOKEN_TTL - phone.earlyBy;
    }
    now = end + exponential(phone.betweenUses);
    if (random() < phone.offline) now += random() * 7 * DAY;
  }
  return Math.min(now, seconds);
}

/** @returns the generation that the app has stored; null if it has none when the use ends */
function refreshDuringUse(
  phone: Phone,
  session: SessionModel,
  { held, now, end }: { held: number; now: number; end: number },
  random: () => number,
): { generation: number | null; now: number } {
  let backoff = 1;
  const spellEnds = phone.badSpell > 0 && random() < phone.answerLost ? now + random() * phone.badSpell : 0;
  const isLost = () => (phone.badSpell > 0 ? now < spellEnds : random() < phone.answerLost);
  for (;;) {
    const attempts = random() < phone.parallel ? [0, random() * 5] : [0];
    let received: number | null = null;
    for (const delay of attempts) {
      if (random() < phone.requestLost) continue;
      const answer = session.exchange(held, now + delay);
      if (answer !== null && !isLost() && random() >= phone.killed) received = answer;
    }
    if (received !== null) return { generation: received, now };
    now += TIMEOUT_SECONDS + backoff;
    backoff = Math.min(backoff * 2, 30);
    if (!phone.retries || now >= end || session.hasEnded) return { generation: null, now: end };
  }
}
