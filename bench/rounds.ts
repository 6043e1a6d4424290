import { isBeingStopped } from './cleanup.js';
import type { Limits } from './limits.js';
import { measurePluto, settle } from './measurement.js';
import type { Options } from './options.js';
import type { PlutoProcess } from './pluto-process.js';
import type { Prepared } from './prepare.js';
import { tell, tellFinally } from './progress.js';
import { summarize, type Round, type ScenarioResult } from './results.js';
import type { Scenario } from './scenarios.js';

/** Every scenario in every round: its limit, then Pluto. One that fails is measured no more. */
export async function runRounds(
  chosen: Scenario[],
  { prepared, server, limits, options }: RoundsRequest,
): Promise<ScenarioResult[]> {
  const { kind: database, trafficOf } = prepared;
  const rounds = new Map<Scenario, Round[]>(chosen.map((scenario) => [scenario, []]));
  const failures = new Map<Scenario, string>();
  const loadOf = ({ name, connections }: Scenario) => ({
    traffic: trafficOf(name),
    connections: connections ?? options.connections,
    seconds: options.seconds,
  });
  for (let round = 0; round <= options.rounds; round++) {
    const isWarmUp = round === 0;
    for (const scenario of chosen.filter((one) => !failures.has(one))) {
      const { name, limit: limitKind } = scenario;
      tell(`${database}: ${isWarmUp ? 'warming up' : `round ${round} of ${options.rounds}`}, ${name}`);
      const load = loadOf(scenario);
      try {
        const limit = await limits.measure(limitKind, load);
        await settle();
        const pluto = await measurePluto(server, load);
        await settle();
        if (!isWarmUp) rounds.get(scenario)!.push({ limit, pluto });
      } catch (error) {
        if (isBeingStopped()) throw error;
        failures.set(scenario, (error as Error).message);
        tellFinally(`${database}: ${name} FAILED: ${(error as Error).message}\n${server.logTail()}`);
      }
    }
  }
  tellFinally();
  return chosen.map((scenario) => {
    const error = failures.get(scenario);
    const goal = scenario.goal?.[database] ?? null;
    const about = { database, name: scenario.name, goal, ...(error !== undefined && { error }) };
    return summarize(about, rounds.get(scenario)!);
  });
}

export interface RoundsRequest {
  prepared: Prepared;
  server: PlutoProcess;
  limits: Limits;
  options: Options;
}
