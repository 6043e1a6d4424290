// One measured server: a build, its database with accounts, and some sessions.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { accountOf, addAccounts, PASSWORD } from './accounts.mjs';
import { emptyDatabase, temporaryFolder } from './database.mjs';
import { runLoad } from './load.mjs';
import { SESSIONS, signIn } from './scenarios.mjs';
import { startServer } from './server.mjs';

const ADMIN = 'admin@example.com';
const LOGINS_AT_ONCE = 8;
/** Lets the garbage of the start be collected. */
const REST_MS = 2000;

export async function openSide({ label, build, kind, accounts }) {
  const folder = temporaryFolder();
  const databaseUrl = await emptyDatabase(kind, folder);
  const env = {
    DATA_DIR: join(folder, 'data'),
    DATABASE_URL: databaseUrl,
    SECRET_KEY: randomBytes(32).toString('hex'),
    ADMIN_MAIL: ADMIN,
    ADMIN_PASSWORD: PASSWORD,
    RATE_LIMIT: 'false',
    LOG_LEVEL: 'error',
    // No token may expire during a run.
    ACCESS_TOKEN_TTL: '604800',
  };
  // The first start prepares the database.
  await (await startServer(build, folder, env)).stop();
  const firstNumber = await addAccounts(databaseUrl, accounts);
  const server = await startServer(build, folder, env);
  const start = { cpuMs: server.cpuSeconds() * 1000 };
  await sleep(REST_MS);
  start.restMb = server.memoryMb();
  const side = { label, server, accounts, firstNumber, start, admin: await signIn(server.url, ADMIN) };
  return { ...side, sessions: await openSessions(side) };
}

/** Measures a load and the CPU time and memory of the server. */
export async function measure({ server }, next, load) {
  const before = server.cpuSeconds();
  const result = await runLoad(server.url, next, load);
  const cpuMicros = ((server.cpuSeconds() - before) / result.requests) * 1e6;
  return { ...result, cpuMicros, memoryMb: server.memoryMb() };
}

async function openSessions({ server, firstNumber, accounts }) {
  const sessions = [];
  const numbers = Array.from({ length: SESSIONS }, (_, index) => firstNumber + (index % accounts));
  const lane = async () => {
    for (let number = numbers.pop(); number !== undefined; number = numbers.pop())
      sessions.push(await signIn(server.url, accountOf(number).mail));
  };
  await Promise.all(Array.from({ length: LOGINS_AT_ONCE }, lane));
  return sessions;
}
