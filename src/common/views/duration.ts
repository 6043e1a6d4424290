import type { Language } from '../languages.js';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * A lifetime in words of the language, rounded down so that it never promises too much: "24 hours", "10 分".
 */
export function formatDuration(seconds: number, language: Language): string {
  const [unit, unitSeconds] = largestUnit(seconds);
  const format = new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' });
  return format.format(Math.floor(seconds / unitSeconds));
}

// "90 minutes" and "36 hours" are more precise than "1 hour" and "1 day".
function largestUnit(seconds: number): [unit: string, unitSeconds: number] {
  if (seconds >= 2 * DAY) return ['day', DAY];
  if (seconds >= 2 * HOUR || seconds === HOUR) return ['hour', HOUR];
  if (seconds >= MINUTE) return ['minute', MINUTE];
  return ['second', 1];
}
