import { setTimeout as sleep } from 'node:timers/promises';
import { CACHED_FROM, CACHED_MS } from '../src/users/count-cache.js';
import { accountOf } from './accounts.js';
import { median } from './latencies.js';
import type { PlutoProcess } from './pluto-process.js';
import type { Prepared } from './prepare.js';
import { tell } from './progress.js';
import type { Check } from './results.js';

const TIMES = 30;
/** With ten seconds before each. */
const TIMES_COUNTED = 5;
const MOST_MS = 50;
const SEARCHES: [about: string, query: Record<string, string>][] = [
  ['exact mail', { name: accountOf(123).mail }],
  ['3 letters', { name: 'abc' }],
  ['2 letters', { name: 'ab' }],
  ['1 letter', { name: 'a' }],
  ['1 letter, a late page', { name: 'a', offset: '3800' }],
  ['every account', { name: 'member' }],
  ['no match', { name: '0nobody' }],
];

/**
 * The administrators' search and summary, as they ask for them, one after the other. Where so many match that their counts are kept,
 * those who are the first to ask, for whom all are counted, and those who ask within the next seconds are told apart.
 */
export async function checkSearch(
  { kind: database, adminPassword }: Prepared,
  { url }: PlutoProcess,
): Promise<Check[]> {
  const token = await signIn(url, adminPassword);
  const checks: Check[] = [];
  const check = async (name: string, path: string) => {
    const request = async () => {
      const began = performance.now();
      const answer = await ask(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
      return { total: (answer as { body: { total: number } }).body.total, ms: performance.now() - began };
    };
    const measure = async (label: string, times: number, pauseMs: number) => {
      tell(`${database}: ${label}`);
      const details: number[] = [];
      for (let time = 0; time < times; time++) {
        await sleep(pauseMs);
        details.push((await request()).ms);
      }
      const goal = { atMost: MOST_MS };
      checks.push({ database, name: label, figure: median(details), unit: 'ms', goal, details });
    };
    const isKept = (await request()).total >= CACHED_FROM;
    if (isKept) await measure(`${name}, counted`, TIMES_COUNTED, CACHED_MS + 1);
    await measure(isKept ? `${name}, count kept` : name, TIMES, 0);
  };
  for (const [about, query] of SEARCHES) {
    const parameters = new URLSearchParams({ limit: '20', ...query });
    await check(`search, ${about}`, `/v1/user/search?${parameters.toString()}`);
  }
  await check('summary', '/v1/user/summary');
  return checks;
}

async function signIn(url: string, password: string): Promise<string> {
  const answer = await ask(`${url}/v1/user/login/account`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ account: 'admin', password, app_id: 'pluto' }),
  });
  return (answer as { body: { access_token: string } }).body.access_token;
}

async function ask(url: string, request: RequestInit): Promise<unknown> {
  const response = await fetch(url, request);
  if (!response.ok) throw new Error(`${new URL(url).pathname} was answered with ${response.status}`);
  return response.json();
}
