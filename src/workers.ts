import cluster, { type Worker } from 'node:cluster';
import type { Logger } from 'pino';
import type { Settings } from './config/settings.js';
import { STOP_PATIENCE_MS } from './stop-serving.js';
import { exitBySignal, whenToldToStop, type StopSignal } from './stop-signals.js';

/** What a worker process tells its supervisor once it serves. */
export const READY = 'ready';

const LEAST_PAUSE_MS = 250;
const GREATEST_PAUSE_MS = 30_000;
/** A worker that has lived so long has not died of what the one before it died of. */
const SOUND_MS = 60_000;
/** On top of what workers allow themselves; one that takes longer does not hear any more. */
const DEAF_MS = 400;

/**
 * Runs several processes that share the port. The first one prepares the database and tells the administrator's
 * password; the others follow once it serves. One that dies is replaced, after a pause that grows while they keep
 * dying; the first one's failure to start is final. Workers whose supervisor dies end by themselves: Node sees to it.
 */
export function superviseWorkers(settings: Settings, log: Logger): void {
  const supervisor = new Supervisor(settings, log);
  whenToldToStop({
    stop: (signal) => supervisor.stop(signal),
    stopAtOnce: (signal) => {
      supervisor.kill();
      exitBySignal(signal);
    },
  });
  supervisor.start();
}

class Supervisor {
  private isServing = false;
  private isStopping = false;
  /** Deaths in a row of workers that had not lived long. */
  private deaths = 0;
  private failures = 0;
  /** Those alive, and when they were born. */
  private readonly workers = new Map<Worker, number>();

  constructor(
    private readonly settings: Settings,
    private readonly log: Logger,
  ) {}

  start(): void {
    cluster.on('message', ({ process: { pid } }: Worker, message: unknown) => {
      if (message !== READY) return;
      this.log.info({ worker: pid }, 'a worker process serves');
      this.addOthers();
    });
    cluster.on('exit', (worker: Worker, code: number | null, signal: string | null) => {
      const livedMs = performance.now() - (this.workers.get(worker) ?? 0);
      this.workers.delete(worker);
      if (this.isStopping) this.settle(code, signal);
      else if (this.isServing) this.replace(livedMs, { worker: worker.process.pid, code, signal });
      else process.exit(code || 1);
    });
    this.fork();
  }

  /** Has the workers finish what is under way, and ends when the last one has ended. */
  stop(signal: StopSignal): void {
    this.isStopping = true;
    for (const { process: worker } of this.workers.keys()) worker.kill(signal);
    const patienceMs = this.settings.stopDelaySeconds * 1000 + STOP_PATIENCE_MS + DEAF_MS;
    setTimeout(() => this.kill(), patienceMs).unref();
    this.endWithTheLast();
  }

  kill(): void {
    for (const { process: worker } of this.workers.keys()) {
      this.log.warn({ worker: worker.pid }, 'a worker process is killed');
      worker.kill('SIGKILL');
    }
  }

  private fork(): void {
    const worker = cluster.fork();
    this.workers.set(worker, performance.now());
    closeWhatItLeaves(worker);
  }

  private addOthers(): void {
    if (this.isServing) return;
    this.isServing = true;
    for (let started = 1; started < this.settings.workers; started++) this.fork();
  }

  private replace(livedMs: number, dead: object): void {
    if (livedMs > SOUND_MS) this.deaths = 0;
    const pauseMs = Math.min(GREATEST_PAUSE_MS, LEAST_PAUSE_MS * 2 ** this.deaths++);
    this.log.error({ ...dead, pauseMs }, 'a worker process died and is replaced');
    setTimeout(() => this.isStopping || this.fork(), pauseMs);
  }

  private settle(code: number | null, signal: string | null): void {
    // A worker that is still loading is ended by the signal itself.
    if (code !== 0 && signal !== 'SIGTERM' && signal !== 'SIGINT') this.failures++;
    this.endWithTheLast();
  }

  private endWithTheLast(): void {
    if (this.workers.size === 0) process.exit(this.failures === 0 ? 0 : 1);
  }
}

/** The parts of a socket's handle, which Node hands to a worker, that are looked at here. */
interface SocketHandle {
  /** Below zero once it is closed. */
  fd: number;
  close(): void;
}

/**
 * Closes the connection that was on its way to a worker when it died. Node hands a worker one connection at a time and
 * closes its own handle when the worker has taken it: a dead one never does, and the client would wait without end.
 */
function closeWhatItLeaves(worker: Worker): void {
  let handed: SocketHandle | undefined;
  const child = worker.process;
  const send = child.send.bind(child) as (...sent: unknown[]) => boolean;
  child.send = (...sent: unknown[]) => {
    const [message, handle] = sent as [{ act?: string } | undefined, SocketHandle | undefined];
    if (message?.act === 'newconn') handed = handle;
    return send(...sent);
  };
  worker.once('exit', () => {
    if (handed && handed.fd >= 0) handed.close();
  });
}
