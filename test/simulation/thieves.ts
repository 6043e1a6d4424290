import { type Rule, SessionModel } from './session-model.js';

const HOUR = 3600;
const DAY = 24 * HOUR;
const NEVER_DAYS = 60;

/** How owner and thief refresh after the token was copied. */
export interface Theft {
  name: string;
  /** Seconds from one refresh of the owner to the next. */
  owner: (random: () => number) => number;
  /** The same for the thief, who stops after `uses` refreshes. */
  thief: (random: () => number) => number;
  uses: number;
  /** How many generations old the copy is. */
  age: number;
}

const hourly = (random: () => number) => HOUR + random() * 300;
const whenUsed = (random: () => number) => HOUR - 2 * HOUR * Math.log(1 - random());

export const thefts: Theft[] = [
  { name: 'in lock-step: both every hour', owner: hourly, thief: hourly, uses: Infinity, age: 0 },
  { name: 'owner when used, thief every hour', owner: whenUsed, thief: hourly, uses: Infinity, age: 0 },
  { name: 'both when used', owner: whenUsed, thief: whenUsed, uses: Infinity, age: 0 },
  { name: 'thief refreshes five times, then never', owner: whenUsed, thief: hourly, uses: 5, age: 0 },
  { name: 'thief refreshes once, then never', owner: whenUsed, thief: hourly, uses: 1, age: 0 },
  { name: 'copy of an older token', owner: whenUsed, thief: hourly, uses: Infinity, age: 1 },
];

/** How long it took to notice; null if it was not noticed within sixty days. */
export interface Noticed {
  days: number | null;
  /** Refreshes of the side that made fewer. */
  refreshes: number;
}

export function simulateTheft(theft: Theft, random: () => number, rule?: Rule): Noticed {
  const session = new SessionModel(rule);
  for (let at = 1; at <= theft.age + 1; at++) session.exchange(at, at * HOUR);
  const stolenAt = (theft.age + 2) * HOUR;
  const sides = [
    {
      holds: session.generation,
      next: stolenAt + random() * HOUR,
      every: theft.owner,
      left: Infinity,
      made: 0,
    },
    {
      holds: session.generation - theft.age,
      next: stolenAt + random() * HOUR,
      every: theft.thief,
      left: theft.uses,
      made: 0,
    },
  ];
  const [owner, thief] = sides as [(typeof sides)[number], (typeof sides)[number]];
  for (;;) {
    const side = thief.left > 0 && thief.next < owner.next ? thief : owner;
    if (side.next > stolenAt + NEVER_DAYS * DAY)
      return { days: null, refreshes: Math.min(owner.made, thief.made) };
    const answer = session.exchange(side.holds, side.next);
    side.made++;
    side.left--;
    if (answer === null)
      return { days: (side.next - stolenAt) / DAY, refreshes: Math.min(owner.made, thief.made) };
    side.holds = answer;
    side.next += side.every(random);
  }
}
