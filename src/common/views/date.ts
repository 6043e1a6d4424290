import type { Language } from '../languages.js';

/** A day in words of the language, in UTC: "December 1, 2026". */
export function formatDate(at: number, language: Language): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'long', timeZone: 'UTC' }).format(at * 1000);
}

/** A day and a time of day, with the time zone, since a mail does not know that of its reader. */
export function formatTime(at: number, language: Language): string {
  const format = new Intl.DateTimeFormat(language, {
    dateStyle: 'long',
    timeStyle: 'short',
    timeZone: 'UTC',
  });
  return `${format.format(at * 1000)} (UTC)`;
}
