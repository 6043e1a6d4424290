import type { LimitResult } from './limits.js';
import { median } from './latencies.js';
import type { Measurement } from './measurement.js';
import type { DatabaseKind } from './options.js';

export interface Round {
  limit: LimitResult;
  pluto: Measurement;
}

/** A scenario on one database: medians over its rounds. */
export interface ScenarioResult {
  database: DatabaseKind;
  name: string;
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  limitPerSecond: number;
  ratio: number;
  goal: number | null;
  cpuMicrosPerRequest: number;
  coresUsed: number;
  memoryMb: number;
  rounds: Round[];
  /** Why there are no more rounds. */
  error?: string;
}

/** Anything else that is measured: one figure and what it should be. */
export interface Check {
  database: DatabaseKind;
  name: string;
  figure: number;
  unit: string;
  goal?: { atMost: number } | { atLeast: number };
  error?: string;
  /** What the figure was made from. */
  details?: unknown;
}

export interface Results {
  scenarios: ScenarioResult[];
  checks: Check[];
}

export type Verdict = 'ok' | 'SHORT' | 'FAILED' | '';

export function summarize(
  about: Pick<ScenarioResult, 'database' | 'name' | 'goal' | 'error'>,
  rounds: Round[],
): ScenarioResult {
  const middle = (figureOf: (round: Round) => number) => median(rounds.map(figureOf));
  return {
    ...about,
    requestsPerSecond: middle(({ pluto }) => pluto.requestsPerSecond),
    p50Ms: middle(({ pluto }) => pluto.p50Ms),
    p99Ms: middle(({ pluto }) => pluto.p99Ms),
    limitPerSecond: middle(({ limit }) => limit.requestsPerSecond),
    // Of each round: its two measurements were neighbours, whatever the machine did before and after.
    ratio: middle(({ pluto, limit }) => pluto.requestsPerSecond / limit.requestsPerSecond),
    cpuMicrosPerRequest: middle(({ pluto }) => pluto.cpuMicrosPerRequest),
    coresUsed: middle(({ pluto }) => pluto.coresUsed),
    memoryMb: rounds.length === 0 ? NaN : Math.max(...rounds.map(({ pluto }) => pluto.peakMemoryMb)),
    rounds,
  };
}

export function verdictOf(result: ScenarioResult | Check): Verdict {
  if (result.error !== undefined) return 'FAILED';
  if ('ratio' in result) return result.goal === null ? '' : reached(result.ratio >= result.goal);
  if (!result.goal) return '';
  return reached(
    'atMost' in result.goal ? result.figure <= result.goal.atMost : result.figure >= result.goal.atLeast,
  );
}

function reached(isReached: boolean): Verdict {
  return isReached ? 'ok' : 'SHORT';
}
