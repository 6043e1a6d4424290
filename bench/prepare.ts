import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { PasswordHasher } from '../src/auth/password-hasher.service.js';
import { Settings } from '../src/config/settings.js';
import { ApplicationsService } from '../src/rbac/applications.service.js';
import { BENCH_PASSWORD } from './accounts.js';
import { databaseUrl, temporaryFolder } from './database-place.js';
import type { DatabaseKind } from './options.js';
import { progressBar, tellFinally } from './progress.js';
import { scenarioOf, type Seeds } from './scenarios.js';
import { seedAccounts } from './seed-accounts.js';
import { seedSessions } from './seed-sessions.js';
import { withServices } from './services.js';
import type { Traffic } from './traffic.js';

/** A database with accounts and sessions, and what a server needs to be told to serve it. */
export interface Prepared {
  kind: DatabaseKind;
  folder: string;
  env: Record<string, string>;
  adminPassword: string;
  /** Of `BENCH_PASSWORD`, at the server's parameters. */
  passwordHash: string;
  /** The same each time, since sessions that were refreshed go on from where they are. */
  trafficOf: (scenario: string) => Traffic;
}

/** So that no token expires in a run, however long it is. */
const TOKEN_TTL_SECONDS = 7 * 86_400;

export async function prepare(
  kind: DatabaseKind,
  size: { accounts: number; scenarios: string[] },
): Promise<Prepared> {
  const folder = temporaryFolder();
  const adminPassword = randomBytes(16).toString('hex');
  const env = {
    DATA_DIR: join(folder, 'data'),
    DATABASE_URL: await databaseUrl(kind, folder),
    SECRET_KEY: randomBytes(32).toString('hex'),
    ADMIN_PASSWORD: adminPassword,
    RATE_LIMIT: 'false',
    LOG_FORMAT: 'json',
  };
  const settings = Settings.load({ ...env, ACCESS_TOKEN_TTL: String(TOKEN_TTL_SECONDS) });
  const tokens = Math.max(0, ...size.scenarios.map((name) => scenarioOf(name).tokens));
  const { passwordHash, seeds } = await seed(settings, `${kind}:`, size.accounts, tokens);
  const traffics = new Map<string, Traffic>();
  const trafficOf = (name: string): Traffic => {
    const traffic = traffics.get(name) ?? scenarioOf(name).traffic(seeds);
    traffics.set(name, traffic);
    return traffic;
  };
  return { kind, folder, env, adminPassword, passwordHash, trafficOf };
}

function seed(
  settings: Settings,
  label: string,
  count: number,
  tokens: number,
): Promise<{ passwordHash: string; seeds: Seeds }> {
  return withServices(settings, async (services) => {
    const application = await services.get(ApplicationsService).getByName('pluto');
    const passwordHash = await services.get(PasswordHasher).hash(BENCH_PASSWORD);
    const accounts = await seedAccounts(services.get(DataSource), {
      accounts: count,
      applicationId: application.id,
      passwordHash,
      onProgress: progressBar(`${label} accounts`, count),
    });
    const onProgress = progressBar(`${label} tokens`, tokens);
    const sessions = await seedSessions(services, application, accounts, tokens, onProgress);
    tellFinally();
    return { passwordHash, seeds: { accounts, ...sessions } };
  });
}
