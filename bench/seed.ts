import { parseArgs } from 'node:util';
import { DataSource } from 'typeorm';
import { PasswordHasher } from '../src/auth/password-hasher.service.js';
import { administratorNotice } from '../src/banner.js';
import { InvalidSettings } from '../src/config/invalid-settings.js';
import { loadSettings } from '../src/config/load-settings.js';
import { ApplicationsService } from '../src/rbac/applications.service.js';
import { BENCH_PASSWORD } from './accounts.js';
import { readCount, WrongOption } from './option-values.js';
import { progressBar, tellFinally } from './progress.js';
import { seedAccounts } from './seed-accounts.js';
import { withServices } from './services.js';

/** Fills the database of the settings: `npm run bench:seed -- --accounts 1000000`. */
async function seed(count: number): Promise<void> {
  const settings = loadSettings();
  await withServices(settings, async (services, administrator) => {
    if (administrator) process.stdout.write(administratorNotice(administrator));
    const began = performance.now();
    const { id: applicationId } = await services.get(ApplicationsService).getByName('pluto');
    const { firstNumber } = await seedAccounts(services.get(DataSource), {
      accounts: count,
      applicationId,
      passwordHash: await services.get(PasswordHasher).hash(BENCH_PASSWORD),
      onProgress: progressBar('accounts', count),
    });
    const seconds = (performance.now() - began) / 1000;
    tellFinally();
    console.log(
      `${count} accounts added to ${settings.database.kind} in ${seconds.toFixed(1)} s ` +
        `(${Math.round(count / seconds)}/s), numbers ${firstNumber} to ${firstNumber + count - 1}; ` +
        `the password is \`${BENCH_PASSWORD}\``,
    );
  });
}

// As the server: what is written is for this user only.
process.umask(0o077);

try {
  // A wrong name is an error here as well, whose message is one line.
  const { values } = parseArgs({ options: { accounts: { type: 'string', default: '1000' } } });
  await seed(readCount('accounts', values.accounts));
} catch (error) {
  const isOption =
    error instanceof WrongOption || (error as { code?: string }).code?.startsWith('ERR_PARSE_');
  if (!isOption && !(error instanceof InvalidSettings)) throw error;
  console.error((error as Error).message);
  process.exitCode = isOption ? 2 : 1;
}
