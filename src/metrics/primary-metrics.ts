import cluster, { type Worker } from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';
import { AggregatorRegistry, Gauge, Registry } from 'prom-client';
import type { Settings } from '../config/settings.js';
import type { MetricValues } from './metrics.registry.js';
import { listenForScrapes } from './scrape-server.js';
import { isAnswer, type ValuesRequest } from './worker-metrics.js';

/** More than a worker waits for its database. */
const PATIENCE_MS = 3000;

/** Serves METRICS_PORT for all workers, where it is set. @throws Error if it cannot listen */
export async function servePrimaryMetrics(settings: Settings): Promise<void> {
  const { metricsPort: port, metricsHost: host, metricsToken: token } = settings;
  if (port === undefined) return;
  const workers = new WorkerPlaces();
  const server = await listenForScrapes({ port, host, token, text: () => scrape(workers) });
  // It must not keep this process once the workers have ended.
  server.unref();
  server.on('connection', (socket) => socket.unref());
}

/**
 * The values of each worker, with its place as the label `worker`. They are not added up: the sum would fall when one
 * is replaced, and Prometheus would take what the others have counted for new. One that does not answer is told as down.
 */
async function scrape(workers: WorkerPlaces): Promise<string> {
  const answers = await Promise.all(
    workers.list().map(async ([place, worker]) => [place, await valuesOf(worker)] as const),
  );
  const own = new Registry();
  const up = new Gauge({
    name: 'pluto_worker_up',
    help: 'Whether a worker process answers within three seconds.',
    labelNames: ['worker'],
    registers: [own],
  });
  for (const [place, values] of answers) up.set({ worker: String(place) }, values ? 1 : 0);
  const labelled = answers.map(([place, values]) => (values ?? []).map((one) => labelledAs(place, one)));
  return Registry.merge([own, AggregatorRegistry.aggregate(labelled)]).metrics();
}

/** Its aggregator has one value a label set to aggregate, and must not leave it out. */
function labelledAs(place: number, metric: MetricValues): MetricValues {
  const values = metric.values.map((one) => ({ ...one, labels: { ...one.labels, worker: place } }));
  return { ...metric, aggregator: 'sum', values };
}

let lastId = 0;

/** @returns null when the worker does not answer in time */
async function valuesOf(worker: Worker): Promise<MetricValues[] | null> {
  const id = ++lastId;
  const given = new AbortController();
  const answered = new Promise<MetricValues[]>((resolve) => {
    const take = (message: unknown) => isAnswer(message) && message.id === id && resolve(message.values);
    worker.on('message', take);
    given.signal.addEventListener('abort', () => worker.off('message', take));
  });
  const request: ValuesRequest = { type: 'pluto:metrics?', id };
  if (!worker.isConnected()) return null;
  worker.send(request, () => undefined);
  const tooLong = sleep(PATIENCE_MS, null, { signal: given.signal, ref: false }).catch(() => null);
  try {
    return await Promise.race([answered, tooLong]);
  } finally {
    given.abort();
  }
}

/** Numbers the workers from 0; one that takes the place of another has its number, so that numbers do not run away. */
class WorkerPlaces {
  private readonly places: (Worker | undefined)[] = [];

  constructor() {
    cluster.on('fork', (worker) => {
      const free = this.places.findIndex((one) => one === undefined);
      this.places[free === -1 ? this.places.length : free] = worker;
    });
    cluster.on('exit', (worker) => {
      const place = this.places.indexOf(worker);
      if (place !== -1) this.places[place] = undefined;
    });
  }

  list(): [number, Worker][] {
    return [...this.places.entries()].filter((entry): entry is [number, Worker] => entry[1] !== undefined);
  }
}
