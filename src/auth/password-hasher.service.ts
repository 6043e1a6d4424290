import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { hash } from '@node-rs/argon2';
import type * as PiscinaPackage from 'piscina';
import { randomToken } from '../common/crypto.js';
import { PlutoError } from '../common/errors.js';
import { loadWhenNeeded } from '../common/load-when-needed.js';
import { packageDirectory } from '../common/package-directory.js';
import { Settings } from '../config/settings.js';
import type { Answer, answerHash, answerMatch } from './hash-thread.js';
import { PasswordHashParameters } from './password-hash-parameters.js';
import { prefixOf } from './password-hash.js';

/** These hash as many passwords as the event loop has logins done; each takes 10 MB, and 30 while it hashes. */
const THREADS_MAX = 4;
/** The one that is hashed and the next, so that a thread need not wait for the event loop: 119 logins a second, not 97. */
const TASKS_OF_THREAD = 2;
/** About two seconds' worth: a caller who would wait longer is told to come back. */
const WAITING_MAX = 200;
const RETRY_AFTER_SECONDS = 2;

interface HashThread {
  answerHash: typeof answerHash;
  answerMatch: typeof answerMatch;
}

type Outcome<Work extends keyof HashThread> = Extract<
  ReturnType<HashThread[Work]>,
  { outcome: unknown }
>['outcome'];

/** How much there is to do, and how much is let wait. */
export interface HashLoad {
  running: number;
  waiting: number;
  runningMax: number;
  waitingMax: number;
}

/** Hashes passwords in threads of their own, which leave the processors to whatever else there is to do. */
@Injectable()
export class PasswordHasher implements OnApplicationShutdown {
  /** Compiled: Node does not read TypeScript. */
  protected readonly threadFile: string = join(packageDirectory, 'dist/src/auth/hash-thread.js');
  private readonly logger = new Logger('Passwords');
  private readonly threads: number;
  /** Checked where there is no account, so that the answer takes as long as for a wrong password. */
  private decoy: Promise<string> | null = null;
  private readonly listeners: ((seconds: number) => void)[] = [];
  private started: PiscinaPackage.Piscina | null = null;
  private underWay = 0;

  constructor(
    { workers }: Settings,
    private readonly parameters: PasswordHashParameters,
  ) {
    this.threads = Math.min(THREADS_MAX, Math.ceil(availableParallelism() / workers));
  }

  /**
   * @returns PHC string (argon2id)
   * @throws PlutoError serviceUnavailable when too many are waiting, or a thread fails
   */
  hash(password: string): Promise<string> {
    return this.run('answerHash', { password, parameters: this.parameters });
  }

  /**
   * Checks a password against a PHC string, or against nothing at the same cost.
   * @throws PlutoError serviceUnavailable when too many are waiting, or a thread fails
   */
  async verify(stored: string | null, password: string): Promise<boolean> {
    const phc = stored ?? (await (this.decoy ??= hash(randomToken(), this.parameters)));
    const matches = await this.run('answerMatch', { phc, password });
    return stored !== null && matches;
  }

  /** Whether a stored hash should be made anew at the next login. */
  isOutdated(phc: string): boolean {
    return !phc.startsWith(prefixOf(this.parameters));
  }

  load(): HashLoad {
    const running = Math.min(this.underWay, this.threads);
    const waiting = this.underWay - running;
    return { running, waiting, runningMax: this.threads, waitingMax: WAITING_MAX };
  }

  /** Calls back with the seconds that each hash has taken, its wait not counted. */
  onHashed(listener: (seconds: number) => void): void {
    this.listeners.push(listener);
  }

  async onApplicationShutdown(): Promise<void> {
    const pool = this.started;
    this.started = null;
    await pool?.destroy();
  }

  private async run<Work extends keyof HashThread>(
    name: Work,
    task: Parameters<HashThread[Work]>[0],
  ): Promise<Outcome<Work>> {
    if (this.load().waiting >= WAITING_MAX) {
      throw new PlutoError('serviceUnavailable', { retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    const pool = this.pool();
    this.underWay++;
    const answer = await (pool.run(task, { name }) as Promise<Answer<Outcome<Work>>>)
      .catch((cause: unknown) => {
        this.discard(pool, cause);
        throw new PlutoError('serviceUnavailable', { retryAfterSeconds: RETRY_AFTER_SECONDS, cause });
      })
      .finally(() => this.underWay--);
    if ('failure' in answer) throw new Error(answer.failure);
    this.listeners.forEach((listener) => listener(answer.seconds));
    return answer.outcome;
  }

  /** A thread has ended, or could not start: what waits for any of them fails, and the next hash starts others. */
  private discard(pool: PiscinaPackage.Piscina, error: unknown): void {
    if (this.started !== pool) return;
    this.started = null;
    this.logger.error({ msg: 'the threads that hash passwords have failed', err: error });
    void pool.destroy();
  }

  /** Started by the first hash. */
  private pool(): PiscinaPackage.Piscina {
    if (this.started) return this.started;
    const { Piscina } = loadWhenNeeded<typeof PiscinaPackage>('piscina');
    const pool = new Piscina({
      filename: this.threadFile,
      minThreads: this.threads,
      maxThreads: this.threads,
      concurrentTasksPerWorker: TASKS_OF_THREAD,
      // First come, first served.
      stricterFIFO: true,
      // Woken by these, a thread answers neither of its two tasks before both are done.
      atomics: 'disabled',
    });
    pool.on('error', (error: unknown) => this.discard(pool, error));
    this.started = pool;
    return pool;
  }
}
