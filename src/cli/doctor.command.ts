import type { Command } from 'commander';
import { InvalidSettings } from '../config/invalid-settings.js';
import { ignoredSettings, loadSettings } from '../config/load-settings.js';
import type { Settings } from '../config/settings.js';
import { checkDatabase } from './doctor/database-checks.js';
import { describeFinding, failedLine, type Finding, ok, warning } from './doctor/finding.js';
import { checkDataDirectory, checkNode } from './doctor/machine-checks.js';
import {
  checkProviders,
  checkProxy,
  checkPublicUrl,
  checkRedis,
  checkSmtp,
} from './doctor/service-checks.js';
import { print, printJson } from './output.js';

/** `pluto doctor`: what is wrong with a server's surroundings. */
export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('check settings, database, mail server, Redis, PUBLIC_URL, disk and clock; changes nothing')
    .option('--json', 'print one JSON document', false)
    .action(async ({ json }: { json: boolean }) => {
      const checks = await examine();
      const isWell = checks.every(({ status }) => status !== 'failed');
      if (json) printJson({ ok: isWell, checks });
      else for (const finding of checks) print(describeFinding(finding));
      if (!isWell) process.exitCode = 1;
    });
}

async function examine(): Promise<Finding[]> {
  const node = checkNode(process.versions.node, Date.now());
  try {
    return [node, ...checkIgnored(), ...(await examineServer(loadSettings()))];
  } catch (error) {
    if (!(error instanceof InvalidSettings)) throw error;
    return [node, ...error.faults.map((fault) => failedLine('settings', fault))];
  }
}

function checkIgnored(): Finding[] {
  return ignoredSettings().map((line) => warning('settings', line, 'correct or remove it'));
}

async function examineServer(settings: Settings): Promise<Finding[]> {
  const [{ findings, keyIds }, smtp, redis, providers] = await Promise.all([
    checkDatabase(settings),
    checkSmtp(settings),
    checkRedis(settings),
    checkProviders(settings),
  ]);
  const found = [
    ok('settings', 'are valid'),
    checkDataDirectory(settings),
    ...findings,
    smtp,
    redis,
    await checkPublicUrl(settings, keyIds),
    checkProxy(settings),
    ...providers,
  ];
  return found.filter((finding) => finding !== null);
}
