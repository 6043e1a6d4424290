import fc from 'fast-check';
import { packageDirectory } from '../../src/common/package-directory.js';
import type { Document } from '../contract/document.js';
import { AnswerCheck } from './support/fuzz/answer-check.js';
import { requestOf, type FuzzRequest } from './support/fuzz/fuzz-request.js';
import { harvest, harvestLinks } from './support/fuzz/harvest.js';
import { HttpCaller, type FuzzAnswer } from './support/fuzz/http-caller.js';
import { operationsOf, type PublishedOperation } from './support/fuzz/operations.js';
import { plansOf, type RequestPlan } from './support/fuzz/request-plans.js';
import { repetitions } from './support/repetitions.js';
import { Tally } from './support/fuzz/tally.js';
import { World } from './support/fuzz/world.js';

const SEED = Number(process.env.FUZZ_SEED ?? 1);
const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? repetitions({ long: 20_000, short: 5000 }));
/** Far below the number of passwords that may wait to be hashed, beyond which a 503 would be right. */
const CONCURRENCY = 16;
const RENEW_EVERY = 500;
const LOOK_AROUND_EVERY = 50;
const SHOWN_FAULTS = 40;

/** Operations that hash a password are as slow as many others. */
const COSTLY = [
  'POST /v1/user/register',
  'POST /v1/user/login/account',
  'POST /v1/oauth/tokens',
  'POST /web/login',
  'POST /web/password/reset/{token}',
];

let world: World;
let operations: PublishedOperation[];
let tally: Tally;
let seconds: number;
const faults = new Map<string, { count: number; example: string }>();

beforeAll(async () => {
  world = await World.make();
  const document = (await world.app.client.get('/openapi.json')).json as Document;
  operations = operationsOf(document);
  tally = new Tally(operations);
  const check = new AnswerCheck(document, [world.app.dataDir, packageDirectory]);
  const caller = new HttpCaller(world.app.url, CONCURRENCY);
  const plans = fc.sample(anyPlan(document), { seed: SEED, numRuns: REQUESTS });
  const started = performance.now();
  await inParallel(plans, (plan) => sendAndCheck(plan, caller, check));
  seconds = (performance.now() - started) / 1000;
  caller.close();
  console.log(`FUZZ_SEED=${SEED} FUZZ_REQUESTS=${REQUESTS}: ${seconds.toFixed(1)} s\n${tally.toString()}`);
});
afterAll(() => world.close());

function anyPlan(document: Document): fc.Arbitrary<RequestPlan> {
  const weighted = operations.map((operation) => ({
    weight: COSTLY.includes(operation.route) ? 1 : 2,
    arbitrary: plansOf(document, operation),
  }));
  return fc.oneof(...weighted);
}

async function inParallel(plans: RequestPlan[], work: (plan: RequestPlan) => Promise<void>): Promise<void> {
  const queue = plans.values();
  let done = 0;
  let read = 0;
  const lane = async () => {
    for (const plan of queue) {
      await work(plan);
      if (++done % RENEW_EVERY === 0) await world.renewAdministrator();
      if (done % LOOK_AROUND_EVERY !== 0) continue;
      read = harvestLinks(world, read);
      await world.renewSessions();
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
}

async function sendAndCheck(plan: RequestPlan, caller: HttpCaller, check: AnswerCheck): Promise<void> {
  const { operation } = plan;
  const request = await requestOf(plan, world);
  const answer = await caller.send(request);
  tally.add(operation, request.method, answer.status);
  for (const fault of check.faultsOf(operation, request, answer)) note(operation, fault, request, answer);
  harvest(world, operation.route, request, answer);
}

function note({ route }: PublishedOperation, fault: string, request: FuzzRequest, answer: FuzzAnswer): void {
  const key = `${route}: ${fault}`;
  const known = faults.get(key);
  if (known) known.count++;
  else faults.set(key, { count: 1, example: replayable(request, answer) });
}

/** Everything needed to repeat the request, and its response. */
function replayable({ method, path, headers, body }: FuzzRequest, answer: FuzzAnswer): string {
  return JSON.stringify(
    { request: { method, path, headers, body: body?.toString('latin1') ?? null }, answer },
    (_key, value: unknown) =>
      typeof value === 'string' && value.length > 2000 ? `${value.slice(0, 2000)}…` : value,
  );
}

it(`sends ${REQUESTS} requests`, () => {
  expect(tally.total).toBe(REQUESTS);
});

it('gets no 5xx, and only documented responses', () => {
  const shown = [...faults]
    .slice(0, SHOWN_FAULTS)
    .map(([fault, { count, example }]) => `${fault} (${count} times)\n    ${example}`);
  expect(shown.join('\n')).toBe('');
});

it('calls every operation, and every one succeeds sometimes', () => {
  const failing = operations
    .map(({ route }) => route)
    .filter((route) => tally.countOf(route, '200') + tally.countOf(route, '302') === 0);
  expect(failing).toEqual([]);
});

it('makes the server log no error', () => {
  const errors = world.app
    .log()
    .split('\n')
    .filter((line) => /^\{"level":"(error|fatal)"/.test(line));
  expect(errors.slice(0, 5)).toEqual([]);
});
