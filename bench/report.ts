import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { packageDirectory } from '../src/common/package-directory.js';
import type { Options } from './options.js';
import { verdictOf, type Check, type Results, type ScenarioResult } from './results.js';

type Column = [title: string, width: number, textOf: (result: ScenarioResult) => string];

const COLUMNS: Column[] = [
  ['requests/s', 11, (result) => whole(result.requestsPerSecond)],
  ['p50 ms', 8, (result) => fixed(result.p50Ms, 1)],
  ['p99 ms', 8, (result) => fixed(result.p99Ms, 1)],
  ['limit/s', 9, (result) => whole(result.limitPerSecond)],
  ['ratio', 7, (result) => fixed(result.ratio, 2)],
  ['goal', 6, (result) => (result.goal === null ? '-' : result.goal.toFixed(2))],
  ['', 7, verdictOf],
  ['CPU us/req', 12, (result) => whole(result.cpuMicrosPerRequest)],
  ['cores', 7, (result) => fixed(result.coresUsed, 2)],
  ['MB', 6, (result) => whole(result.memoryMb)],
];
const NAME_WIDTH = 25;
const CHECK_WIDTH = 66;

/** The table, as it is printed. */
export function tableOf({ scenarios, checks }: Results): string {
  const heading =
    'scenario'.padEnd(NAME_WIDTH) + COLUMNS.map(([title, width]) => title.padStart(width)).join('');
  const lines = scenarios.map(
    (result) =>
      `${result.database} ${result.name}`.padEnd(NAME_WIDTH) +
      COLUMNS.map(([, width, textOf]) => textOf(result).padStart(width)).join(''),
  );
  const failures = [...scenarios, ...checks].flatMap(({ database, name, error }) =>
    error === undefined ? [] : `${database} ${name} FAILED: ${error}`,
  );
  return [
    ...(scenarios.length > 0 ? [heading, ...lines, ''] : []),
    ...checks.map(checkLine),
    ...failures,
  ].join('\n');
}

/** Everything that was measured, and where. */
export function writeJson(options: Options, began: Date, results: Results): void {
  const [cpu] = cpus();
  const report = {
    began: began.toISOString(),
    ended: new Date().toISOString(),
    commit: commit(),
    node: process.version,
    cpu: cpu?.model ?? '',
    cores: cpus().length,
    memoryMb: Math.round(totalmem() / 1024 / 1024),
    options: { ...options, parts: [...options.parts] },
    scenarios: results.scenarios.map((result) => ({ ...result, verdict: verdictOf(result) })),
    checks: results.checks.map((check) => ({ ...check, verdict: verdictOf(check) })),
  };
  writeFileSync(options.jsonFile, `${JSON.stringify(report, null, 2)}\n`);
}

function checkLine(check: Check): string {
  const { goal } = check;
  const limit = !goal ? '' : 'atMost' in goal ? `<= ${goal.atMost}` : `>= ${goal.atLeast}`;
  const figure = `${fixed(check.figure, 2)} ${check.unit}`;
  const name = `${check.database} ${check.name}`.padEnd(CHECK_WIDTH);
  return `${name}${figure.padStart(12)}${limit.padStart(12)}${verdictOf(check).padStart(8)}`;
}

function whole(figure: number): string {
  return Number.isFinite(figure) ? String(Math.round(figure)) : '-';
}

function fixed(figure: number, digits: number): string {
  return Number.isFinite(figure) ? figure.toFixed(digits) : '-';
}

function commit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], {
      cwd: packageDirectory,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}
