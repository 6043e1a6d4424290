import cluster, { type Worker } from 'node:cluster';
import type { Logger } from 'pino';

/** What a worker process tells its supervisor once it serves. */
export const READY = 'ready';

const RESTART_PAUSE_MS = 1000;

/**
 * Runs several processes that share the port. The first one prepares the database and tells the administrator's
 * password; the others follow once it serves. One that dies is replaced; the first one's failure to start is final.
 */
export function superviseWorkers(count: number, log: Logger): void {
  let isStopping = false;
  let isServing = false;

  cluster.on('message', (_worker: Worker, message: unknown) => {
    if (message !== READY || isServing) return;
    isServing = true;
    for (let started = 1; started < count; started++) cluster.fork();
  });
  cluster.on('exit', (worker, code) => {
    if (isStopping) return;
    if (!isServing) process.exit(code === 0 ? 1 : code);
    log.error({ pid: worker.process.pid, code }, 'a worker process died and is replaced');
    setTimeout(() => !isStopping && cluster.fork(), RESTART_PAUSE_MS);
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      isStopping = true;
      // The workers end by themselves; without them nothing keeps this process.
      for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill(signal);
    });
  }
  cluster.fork();
}
