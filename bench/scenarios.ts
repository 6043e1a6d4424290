import { accountOf, BENCH_PASSWORD } from './accounts.js';
import type { DatabaseKind } from './options.js';
import { SessionChains } from './session-chains.js';
import { get, post, type Call, type Traffic } from './traffic.js';

/** What the requests of a database are made from. */
export interface Seeds {
  accounts: { firstNumber: number; count: number };
  /** Access tokens, each of a session of its own. */
  tokens: string[];
  refreshTokens: string[];
}

/** What a scenario is held against: password hashes, signatures, or a bare route that answers the same. */
export type LimitKind = 'hash' | 'sign' | 'route';

export interface Scenario {
  name: string;
  limit: LimitKind;
  /** Least share of the limit; none where only the figure is wanted. */
  goal?: Partial<Record<DatabaseKind, number>>;
  /** Instead of those of the options. */
  connections?: number;
  /** How many access tokens it takes. */
  tokens: number;
  traffic: (seeds: Seeds) => Traffic;
}

/** More than any cache of tokens in the server holds. */
const DISTINCT_TOKENS = 20_000;
const REPEATED_TOKENS = 100;
/** As many as can wait for a hash without the others getting late. */
const HASHING_CONNECTIONS = 16;
export const REFRESH_CHAINS = 400;

const verify = (token: string) => get(`/v1/token/access/verify?token=${token}`);
const info = (token: string) => get('/v1/user/info', token);

/** Everything that is measured against a limit, in the order of the table. */
export const scenarios: Scenario[] = [
  {
    name: 'login',
    limit: 'hash',
    goal: { sqlite: 0.8, mariadb: 0.8 },
    connections: HASHING_CONNECTIONS,
    tokens: 0,
    traffic: ({ accounts }) => ({ kind: 'made', next: () => login(accounts) }),
  },
  {
    name: 'refresh',
    limit: 'sign',
    goal: { sqlite: 0.5, mariadb: 0.33 },
    tokens: REFRESH_CHAINS,
    traffic: ({ refreshTokens }) => {
      const chains = new SessionChains(refreshTokens);
      return { kind: 'made', next: () => chains.next(), begin: () => chains.begin() };
    },
  },
  fixed('verify-distinct', DISTINCT_TOKENS, verify, { sqlite: 0.35, mariadb: 0.35 }),
  fixed('verify-repeated', REPEATED_TOKENS, verify, { sqlite: 0.6, mariadb: 0.6 }),
  fixed('info-distinct', DISTINCT_TOKENS, info, { sqlite: 0.25, mariadb: 0.18 }),
  fixed('info-repeated', REPEATED_TOKENS, info, { sqlite: 0.33, mariadb: 0.18 }),
  {
    name: 'publickey',
    limit: 'route',
    goal: { sqlite: 0.75, mariadb: 0.75 },
    tokens: 0,
    traffic: () => ({ kind: 'fixed', calls: [get('/v1/token/publickey')] }),
  },
  {
    name: 'register',
    limit: 'hash',
    connections: HASHING_CONNECTIONS,
    tokens: 0,
    traffic: () => ({ kind: 'made', next: register }),
  },
];

export const scenarioNames = scenarios.map(({ name }) => name);

/** @throws Error when there is none of that name */
export function scenarioOf(name: string): Scenario {
  const scenario = scenarios.find((one) => one.name === name);
  if (!scenario) throw new Error(`there is no scenario ${name}`);
  return scenario;
}

function fixed(
  name: string,
  tokens: number,
  call: (token: string) => Call,
  goal: Record<DatabaseKind, number>,
): Scenario {
  const traffic = (seeds: Seeds): Traffic => ({
    kind: 'fixed',
    calls: seeds.tokens.slice(0, tokens).map(call),
  });
  return { name, limit: 'route', goal, tokens, traffic };
}

function login({ firstNumber, count }: Seeds['accounts']): Call {
  const { mail } = accountOf(firstNumber + Math.floor(Math.random() * count));
  return post('/v1/user/login/account', { account: mail, password: BENCH_PASSWORD, app_id: 'pluto' });
}

let registered = 0;

function register(): Call {
  const handle = `new-${process.pid}-${registered++}`;
  return post('/v1/user/register', {
    mail: `${handle}@example.com`,
    user_id: handle,
    name: 'New member',
    password: BENCH_PASSWORD,
    app_id: 'pluto',
  });
}
