import autocannon, { type Client, type Request, type Result } from 'autocannon';
import { Latencies } from './latencies.js';
import { advance, placeIn, type Call, type Traffic } from './traffic.js';

export interface LoadResult {
  requests: number;
  seconds: number;
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
}

export interface LoadRequest {
  url: string;
  traffic: Traffic;
  connections: number;
  seconds: number;
}

const SAMPLE_MS = 50;
const TIMEOUT_SECONDS = 30;

/**
 * As many requests as the connections take, each the next one's when its answer is there.
 * @throws Error when a request is refused or fails
 */
export async function runLoad({ url, traffic, connections, seconds }: LoadRequest): Promise<LoadResult> {
  if (traffic.kind === 'made') traffic.begin?.();
  const latencies = new Latencies();
  let opened = 0;
  const setupClient = (client: Client) =>
    client.setRequests(
      traffic.kind === 'fixed' ? shareOf(traffic.calls, opened++, connections) : [madeRequest(traffic.next)],
    );
  const result = await new Promise<Result>((resolve, reject) => {
    const options = { url, connections, duration: seconds, sampleInt: SAMPLE_MS, timeout: TIMEOUT_SECONDS };
    const run = autocannon({ ...options, setupClient }, (error, done) =>
      error ? reject(error) : resolve(done),
    );
    run.on('response', (_client: unknown, _status: number, _bytes: number, took: number) =>
      latencies.add(took),
    );
  });
  assertFlawless(result);
  if (traffic.kind === 'fixed') advance(traffic.calls, latencies.count);
  return {
    requests: latencies.count,
    seconds: result.duration,
    requestsPerSecond: latencies.count / result.duration,
    ...latencies.summarize(),
  };
}

/** Every so many of the calls, so that all connections together go through them in their order. */
function shareOf(calls: Call[], connection: number, connections: number): Request[] {
  const start = placeIn(calls) + connection;
  const length = Math.max(1, Math.floor(calls.length / connections));
  return Array.from({ length }, (_, turn) => {
    const { method, path, headers } = calls[(start + turn * connections) % calls.length]!;
    return { method, path, headers: { ...headers } };
  });
}

/** Made anew each time, from what the connection was answered before. */
function madeRequest(next: () => Call): Request {
  let call: Call;
  return {
    method: 'GET',
    path: '/',
    headers: {},
    setupRequest: (request) => {
      call = next();
      const { method, path, headers, body } = call;
      return { ...request, method, path, headers: { ...headers }, ...(body !== undefined && { body }) };
    },
    onResponse: (status, body) => {
      if (status === 200) call.onAnswer?.(body);
    },
  };
}

function assertFlawless({ errors, timeouts, non2xx, statusCodeStats, ...result }: Result): void {
  const statuses = Object.entries(statusCodeStats).map(([status, { count }]) => `${count} × ${status}`);
  const told = statuses.join(', ') || 'no answer';
  if (errors + timeouts + non2xx > 0)
    throw new Error(`${told}; ${errors} connections failed, ${timeouts} requests timed out`);
  if (result['2xx'] === 0) throw new Error('no answer at all');
}
