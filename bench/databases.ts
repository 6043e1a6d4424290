import { isBeingStopped } from './cleanup.js';
import { Limits } from './limits.js';
import { checkFramework } from './framework-check.js';
import type { DatabaseKind, Options } from './options.js';
import { checkPaced, checkRefreshDuringLogins, LOGINS_AND_REFRESH, PACED } from './paced-checks.js';
import { PlutoProcess } from './pluto-process.js';
import { prepare } from './prepare.js';
import { tellFinally } from './progress.js';
import type { Check, Results } from './results.js';
import { runRounds } from './rounds.js';
import { scenarios } from './scenarios.js';
import { checkStart } from './start-checks.js';
import { checkWorkers, WITH_WORKERS } from './worker-checks.js';

const LOADED_MEMORY_MB = 220;
/** What the parts that are no scenarios send. */
const SENT_BY: Record<string, string[]> = {
  paced: PACED,
  'refresh-during-logins': LOGINS_AND_REFRESH,
  workers: WITH_WORKERS,
};

/** Everything that is measured on one database; what there is goes into the results at once. */
export async function measureDatabase(kind: DatabaseKind, options: Options, results: Results): Promise<void> {
  const { parts } = options;
  const chosen = scenarios.filter(({ name }) => parts.has(name));
  const needed = [...parts].flatMap((part) => SENT_BY[part] ?? []);
  const prepared = await prepare(kind, {
    accounts: options.accounts,
    scenarios: [...chosen.map(({ name }) => name), ...needed],
  });
  const check = async (part: string, work: () => Promise<Check[]>) => {
    if (!parts.has(part)) return;
    try {
      results.checks.push(...(await work()));
    } catch (error) {
      if (isBeingStopped()) throw error;
      const { message } = error as Error;
      tellFinally(`${kind}: ${part} FAILED: ${message}`);
      results.checks.push({ database: kind, name: part, figure: NaN, unit: '', error: message });
    }
  };
  await check('start', () => checkStart(prepared));
  const { server } = await PlutoProcess.start(prepared.env, prepared.folder);
  const samples = chosen.flatMap(({ name, limit }) => {
    const traffic = prepared.trafficOf(name);
    return limit === 'route' && traffic.kind === 'fixed' ? traffic.calls.slice(0, 1) : [];
  });
  const limits = await Limits.start(server.url, samples, prepared.passwordHash);
  const measured = await runRounds(chosen, { prepared, server, limits, options });
  results.scenarios.push(...measured);
  const memories = measured.map(({ memoryMb }) => memoryMb).filter(Number.isFinite);
  if (memories.length > 0) {
    const figure = Math.max(...memories);
    const goal = { atMost: LOADED_MEMORY_MB };
    results.checks.push({ database: kind, name: 'memory under load', figure, unit: 'MB', goal });
  }
  await check('framework', () => checkFramework(prepared, server, options));
  await check('paced', () => checkPaced(prepared, server, options, measured));
  await check('refresh-during-logins', () => checkRefreshDuringLogins(prepared, server, options));
  if (kind === 'mariadb') await check('workers', () => checkWorkers(prepared, server, options));
  await server.stop();
}
