import { accountOf } from './accounts.js';
import { median } from './latencies.js';
import type { PlutoProcess } from './pluto-process.js';
import type { Prepared } from './prepare.js';
import { tell } from './progress.js';
import type { Check } from './results.js';

const TIMES = 30;
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

/** The administrators' search and summary, as they ask for it, one after the other. */
export async function checkSearch(
  { kind: database, adminPassword }: Prepared,
  { url }: PlutoProcess,
): Promise<Check[]> {
  const token = await signIn(url, adminPassword);
  const checks: Check[] = [];
  const check = async (name: string, path: string) => {
    tell(`${database}: ${name}`);
    const details: number[] = [];
    for (let time = 0; time < TIMES; time++) {
      const began = performance.now();
      await ask(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
      details.push(performance.now() - began);
    }
    const goal = { atMost: MOST_MS };
    checks.push({ database, name, figure: median(details), unit: 'ms', goal, details });
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
