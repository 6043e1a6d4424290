import { setTimeout as sleep } from 'node:timers/promises';
import pTimeout from 'p-timeout';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Logger } from 'pino';
import { InFlightRequests } from '../common/http/in-flight-requests.js';
import type { Settings } from '../config/settings.js';
import type { StopSignal } from './stop-signals.js';

/** For work in progress; a little less than the ten seconds after which Docker kills. */
export const STOP_PATIENCE_MS = 9500;

/** Clients keep using their open connections until each has had its last response. */
const DRAIN_MS = 200;

interface Served {
  app: NestFastifyApplication;
  backgroundWork: Record<string, { stop(): Promise<void> }>;
  settings: Settings;
  log: Logger;
}

/**
 * Ends the process: has new requests sent elsewhere, answers those in flight, lets the background work finish
 * and closes the database. Ctrl-C does not wait for a load balancer.
 */
export async function stopServing(served: Served, signal: StopSignal): Promise<never> {
  const { app, settings, log } = served;
  const { stopDelaySeconds } = settings;
  log.info(`${signal}: finishing work in progress`);
  app.get(InFlightRequests).drain();
  await sleep(Math.max(DRAIN_MS, signal === 'SIGTERM' ? stopDelaySeconds * 1000 : 0));
  try {
    await finish(served);
  } catch (error) {
    log.error({ err: error }, 'stopping failed');
    process.exit(1);
  }
  process.exit(0);
}

/** Returns when all is done, or there is no more time for it. */
async function finish({ app, backgroundWork, log }: Served): Promise<void> {
  const unfinished = new Set(Object.keys(backgroundWork));
  const working = Object.entries(backgroundWork).map(async ([name, work]) => {
    await work.stop();
    unfinished.delete(name);
  });
  const finishing = async () => {
    await Promise.all([...working, app.getHttpAdapter().close()]);
    await app.close();
  };
  const giveUp = () =>
    log.warn(
      { requests: app.get(InFlightRequests).describe(), work: [...unfinished] },
      'shutdown timed out, aborting',
    );
  await pTimeout(finishing(), { milliseconds: STOP_PATIENCE_MS, fallback: giveUp });
}
