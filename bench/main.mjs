// Compares the built server with the best this machine can do, and with another build or more accounts.
//   npm run bench                        this build
//   npm run bench -- --against DIR       this build and the one in DIR, in turns
//   npm run bench -- --growth            this build with 1,000 accounts and with 1,000,000, in turns
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { undoAll, undoAtEnd, undoOnSignals } from './cleanup.mjs';
import { measureRoute, measureWork } from './limits.mjs';
import { printResults } from './report.mjs';
import { scenarios, searches, searchesOf } from './scenarios.mjs';
import { measure, openSide } from './side.mjs';

const USAGE = `Options: --against DIR | --growth, --database sqlite|mariadb, --only ${Object.keys(scenarios).join()},
  --rounds N, --seconds N, --accounts N, --json FILE`;
const options = readOptions();
const build = join(import.meta.dirname, '..');
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);
const names = options.only.split(',').filter((name) => {
  if (name in scenarios) return true;
  refuse(`--only must be one of ${Object.keys(scenarios).join(', ')}, not ${name}`);
});
const FEW_ACCOUNTS = 1000;
const MANY_ACCOUNTS = 1_000_000;
const SEARCH_SECONDS = 2;

undoOnSignals();
undoAtEnd(() => process.stderr.write('\n'));
const results = [];
try {
  for (const kind of options.database === 'all' ? ['sqlite', 'mariadb'] : [options.database])
    results.push(await measureDatabase(kind));
} finally {
  await undoAll();
}
for (const result of results) printResults(result);
if (options.json) writeFileSync(options.json, JSON.stringify(results, null, 2));

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        against: { type: 'string' },
        growth: { type: 'boolean', default: false },
        database: { type: 'string', default: 'all' },
        only: { type: 'string', default: Object.keys(scenarios).join() },
        rounds: { type: 'string', default: '5' },
        seconds: { type: 'string', default: '3' },
        accounts: { type: 'string' },
        json: { type: 'string' },
      },
    });
    return values;
  } catch (error) {
    return refuse(error.message);
  }
}

function refuse(fault) {
  process.stderr.write(`${fault}\n${USAGE}\n`);
  process.exit(2);
}

async function measureDatabase(kind) {
  const sides = [];
  for (const side of sidesOf()) {
    log(`${kind}: ${side.label}, ${side.accounts} accounts`);
    sides.push(await openSide({ ...side, kind }));
  }
  const result = { kind, sides: sides.map(({ label, start }) => ({ label, start })), scenarios: {} };
  for (const name of names) result.scenarios[name] = await measureScenario(kind, name, sides);
  if (options.growth) result.searches = await measureSearches(kind, sides);
  for (const { server } of sides) await server.stop();
  return result;
}

/** The sides of the comparison; the one under test first. */
function sidesOf() {
  const accounts = Number(options.accounts ?? (options.growth ? MANY_ACCOUNTS : FEW_ACCOUNTS));
  const own = { label: 'this build', build, accounts };
  if (options.growth)
    return [
      { ...own, label: 'many' },
      { ...own, label: 'few', accounts: FEW_ACCOUNTS },
    ];
  if (options.against) return [own, { ...own, label: 'other build', build: resolve(options.against) }];
  return [own];
}

/** Runs the sides and the limit alternately, after a warm-up round. */
async function measureScenario(kind, name, sides) {
  const { limit, connections, requestsOf } = scenarios[name];
  const load = { connections, seconds };
  const measured = [];
  for (let round = 0; round <= rounds; round++) {
    log(`${kind}: ${name}, round ${round} of ${rounds}`);
    const one = { sides: [] };
    // The order alternates between rounds.
    const order = round % 2 === 0 ? sides : [...sides].reverse();
    for (const side of order) one.sides[sides.indexOf(side)] = await measure(side, requestsOf(side), load);
    one.limit =
      limit === 'route'
        ? await measureRoute(sides[0].server.url, requestsOf(sides[0]), load)
        : await measureWork(limit, seconds);
    if (round > 0) measured.push(one);
  }
  return { limit, rounds: measured };
}

async function measureSearches(kind, sides) {
  const load = { connections: 1, seconds: SEARCH_SECONDS };
  const found = {};
  for (const name of Object.keys(searches)) {
    log(`${kind}: ${name}`);
    found[name] = [];
    for (const side of sides) found[name].push(await measure(side, searchesOf(side, name), load));
  }
  return found;
}

function log(what) {
  process.stderr.write(`\r\u001b[K${what}`);
}
