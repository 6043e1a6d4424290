// The requests, and the limit to compare each with, measured in the same run.
import { accountOf, PASSWORD } from './accounts.mjs';

const CONNECTIONS = 50;
/** Fewer than the queue of the password hasher accepts. */
const HASHING_CONNECTIONS = 16;
/** More than there are connections, since a session is refreshed by one request at a time. */
export const SESSIONS = 200;

export const scenarios = {
  login: { limit: 'hash', connections: HASHING_CONNECTIONS, requestsOf: logins },
  refresh: { limit: 'sign', connections: CONNECTIONS, requestsOf: refreshes },
  verify: {
    limit: 'route',
    connections: CONNECTIONS,
    requestsOf: ({ sessions }) =>
      inTurn(sessions.map(({ access }) => get(`/v1/token/access/verify?token=${access}`))),
  },
  info: {
    limit: 'route',
    connections: CONNECTIONS,
    requestsOf: ({ sessions }) => inTurn(sessions.map(({ access }) => get('/v1/user/info', access))),
  },
  publickey: {
    limit: 'route',
    connections: CONNECTIONS,
    requestsOf: () => inTurn([get('/v1/token/publickey')]),
  },
};

/** The administrators' search, one request after the other. */
export const searches = {
  'search, part of a mail': ({ firstNumber }) => ({ name: accountOf(firstNumber).mail.slice(2) }),
  'search, domain of all': () => ({ name: '@example.com' }),
  'search, exact mail': ({ firstNumber }) => ({ name: accountOf(firstNumber).mail }),
  'search, 3 letters': () => ({ name: 'abc' }),
  'search, 2 letters': () => ({ name: 'ab' }),
  'search, 1 letter': () => ({ name: 'a' }),
  'search, all match': () => ({ name: 'member' }),
  'search, none match': () => ({ name: '0nobody' }),
};

export function searchesOf(side, name) {
  const query = new URLSearchParams({ limit: '20', ...searches[name](side) });
  return inTurn([get(`/v1/user/search?${query}`, side.admin.access)]);
}

/** Signs in. @returns both tokens */
export async function signIn(url, account) {
  const { path, ...request } = login(account);
  const response = await fetch(url + path, request);
  if (!response.ok) throw new Error(`login failed with ${response.status}`);
  return tokensOf(await response.text());
}

function logins({ firstNumber, accounts }) {
  return () => login(accountOf(firstNumber + Math.floor(Math.random() * accounts)).mail);
}

/** Sessions that are refreshed repeatedly, each by one request at a time. */
function refreshes({ sessions }) {
  const free = [...sessions];
  return () => {
    const session = free.shift();
    return {
      ...post('/v1/token/refresh', { refresh_token: session.refresh, app_id: 'pluto' }),
      onAnswer: (text) => {
        Object.assign(session, tokensOf(text));
        free.push(session);
      },
    };
  };
}

function inTurn(requests) {
  let sent = 0;
  return () => requests[sent++ % requests.length];
}

function login(account) {
  return post('/v1/user/login/account', { account, password: PASSWORD, app_id: 'pluto' });
}

function tokensOf(text) {
  const { access_token: access, refresh_token: refresh } = JSON.parse(text).body;
  return { access, refresh };
}

function get(path, token) {
  return { method: 'GET', path, headers: token ? { authorization: `Bearer ${token}` } : {} };
}

function post(path, body) {
  return {
    method: 'POST',
    path,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
}
