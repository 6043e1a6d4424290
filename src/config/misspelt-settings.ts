import { variableGroups } from './setting-table.js';

/**
 * Beginnings that only Pluto's settings have, so that what continues otherwise is taken for a mistake. Not
 * GOOGLE_ or REDIS_: other programs and Kubernetes set such variables too.
 */
const OWN_BEGINNINGS = [
  'SMTP_',
  'APPLE_',
  'WECHAT_',
  'GOOGLE_CLIENT',
  'GOOGLE_JWKS',
  'METRICS_',
  'CORS_',
  'ADMIN_',
];
const OWN_PREFIX = 'PLUTO_';
/** Shorter names resemble too many others. */
const LEAST_LENGTH = 7;

/**
 * One line for each variable that looks like a setting and is none, with the nearest name. Values are not
 * shown.
 * @param env the variables of the process and of `.env`
 */
export function misspeltSettings(env: NodeJS.Dict<string>): string[] {
  return Object.entries(env).flatMap(([name, value]) => {
    if (!value || known.has(name) || isOfKubernetes(name, value)) return [];
    const meant = nearest(name.replace(/_FILE$/i, ''));
    return meant === null ? [] : [`${name} is not a setting and is ignored: did you mean ${meant}?`];
  });
}

/** Kubernetes and Docker describe every service, also one called pluto or smtp: PLUTO_PORT=tcp://… */
function isOfKubernetes(name: string, value: string): boolean {
  return /^(tcp|udp):\/\//.test(value) || /_(SERVICE_(HOST|PORT)\w*|PORT_\d+_(TCP|UDP)\w*)$/.test(name);
}

const names = Object.values(variableGroups).flatMap((group) => Object.values(group).map(({ name }) => name));
const known = new Set(names.flatMap((name) => [name, `${name}_FILE`]));

function nearest(name: string): string | null {
  const bare = letters(name);
  const prefixed = bare.startsWith(letters(OWN_PREFIX)) ? bare.slice(letters(OWN_PREFIX).length) : null;
  const same = names.find((one) => letters(one) === bare || letters(one) === prefixed);
  if (same !== undefined) return same === name ? null : same;
  const [closest] = byDistance(bare);
  if (closest === undefined) return null;
  if (bare.length >= LEAST_LENGTH && closest.distance <= (bare.length >= 10 ? 2 : 1)) return closest.name;
  const beginning = OWN_BEGINNINGS.find((one) => name.startsWith(one));
  if (beginning === undefined) return null;
  return byDistance(bare).find((one) => one.name.startsWith(beginning))?.name ?? null;
}

/** Case and separators are no difference: `SMTPURL`, `smtp_url` and `SMTP-URL` all mean SMTP_URL. */
function letters(name: string): string {
  return name.replace(/[^A-Za-z0-9]/g, '').toUpperCase();
}

function byDistance(bare: string): { name: string; distance: number }[] {
  return names
    .map((name) => ({ name, distance: editDistance(bare, letters(name)) }))
    .sort((one, other) => one.distance - other.distance);
}

/** The least number of letters to insert, delete, replace or swap with their neighbour. */
export function editDistance(one: string, other: string): number {
  let before: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row++) {
    const current = [row];
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[row - 1] === other[column - 1];
      let least = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + (isSame ? 0 : 1));
      if (one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1])
        least = Math.min(least, before[column - 2]! + 1);
      current.push(least);
    }
    [before, last] = [last, current];
  }
  return last[other.length]!;
}
