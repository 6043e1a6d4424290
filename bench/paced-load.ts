import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { Latencies } from './latencies.js';
import type { LoadResult } from './load.js';
import { advance, get, placeIn, type Call, type Traffic } from './traffic.js';

export interface PacedLoadRequest {
  url: string;
  traffic: Traffic;
  perSecond: number;
  seconds: number;
}

/**
 * Open before it begins, as those of a proxy are: Node takes one new connection in each turn of its event loop, and would
 * let a hundred that come at once wait for as many turns.
 */
const CONNECTIONS = 50;
const FIRST_CALL = get('/health/live');
/** As exactly as timers go. */
const TICK_MS = 1;

/**
 * Requests at an even pace, whether or not the ones before are answered. A latency counts from when the request was
 * due, to the millisecond: what had to wait because the server was slow is not left out.
 * @throws Error when a request is refused or fails
 */
export async function runPacedLoad({
  url,
  traffic,
  perSecond,
  seconds,
}: PacedLoadRequest): Promise<LoadResult> {
  const pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1 });
  const next = nextOf(traffic);
  const latencies = new Latencies();
  const pending: Promise<void>[] = [];
  const total = Math.floor(perSecond * seconds);
  try {
    await Promise.all(Array.from({ length: CONNECTIONS }, () => send(FIRST_CALL, pool)));
    const began = performance.now();
    for (let sent = 0; sent < total;) {
      const elapsed = performance.now() - began;
      for (; sent < total && dueMs(sent, perSecond) <= elapsed; sent++) {
        const due = began + dueMs(sent, perSecond);
        const sending = send(next(), pool).then(() => latencies.add(performance.now() - due));
        sending.catch(() => undefined);
        pending.push(sending);
      }
      await sleep(TICK_MS);
    }
    await Promise.all(pending);
    const taken = (performance.now() - began) / 1000;
    return {
      requests: total,
      seconds: taken,
      requestsPerSecond: total / taken,
      ...latencies.summarize(),
    };
  } finally {
    await pool.destroy();
  }
}

function dueMs(index: number, perSecond: number): number {
  return Math.ceil((index * 1000) / perSecond);
}

function nextOf(traffic: Traffic): () => Call {
  if (traffic.kind === 'made') {
    traffic.begin?.();
    return traffic.next;
  }
  const { calls } = traffic;
  return () => {
    const call = calls[placeIn(calls) % calls.length]!;
    advance(calls, 1);
    return call;
  };
}

/** By the least of undici's functions: what the generator takes the server has not. */
function send({ method, path, headers, body, onAnswer }: Call, pool: Pool): Promise<void> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let status = 0;
    pool.dispatch(
      { method, path, headers, body: body ?? null },
      {
        onConnect: () => undefined,
        onHeaders: (statusCode) => {
          status = statusCode;
          return true;
        },
        onData: (part) => {
          if (onAnswer) parts.push(part);
          return true;
        },
        onComplete: () => {
          if (status !== 200) return reject(new Error(`answered with ${status}`));
          onAnswer?.(Buffer.concat(parts).toString());
          resolve();
        },
        onError: reject,
      },
    );
  });
}
