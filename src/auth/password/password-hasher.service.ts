import { availableParallelism } from 'node:os';
import { Injectable } from '@nestjs/common';
import { hash } from '@node-rs/argon2';
import PQueue from 'p-queue';
import { randomToken } from '../../common/crypto.js';
import { PlutoError } from '../../common/errors.js';
import { PasswordHashParameters } from './password-hash-parameters.js';
import { matches } from './password-hash.js';

/** Node's thread pool has four threads: one is left to signatures and files. */
const RUNNING_MAX = 3;
/** About two seconds' worth: a caller who would wait longer is refused. */
const WAITING_MAX = 200;
const RETRY_AFTER_SECONDS = 2;

/** How much there is to do, and how much may wait. */
export interface HashLoad {
  running: number;
  waiting: number;
  runningMax: number;
  waitingMax: number;
}

/** Hashes passwords in Node's thread pool, as many concurrently as there are processors. */
@Injectable()
export class PasswordHasher {
  private readonly queue = new PQueue({ concurrency: Math.min(RUNNING_MAX, availableParallelism()) });
  /** Checked where there is no account, so that the answer takes as long as for a wrong password. */
  private decoy: Promise<string> | null = null;
  private readonly listeners: ((seconds: number) => void)[] = [];

  constructor(private readonly parameters: PasswordHashParameters) {}

  /**
   * @returns PHC string (argon2id)
   * @throws PlutoError serviceUnavailable when too many are waiting
   */
  hash(password: string): Promise<string> {
    return this.run(() => hash(password, this.parameters));
  }

  /**
   * Checks a password against a PHC string, or against nothing at the same cost.
   * @throws PlutoError serviceUnavailable when too many are waiting
   */
  async verify(stored: string | null, password: string): Promise<boolean> {
    this.decoy ??= hash(randomToken(), this.parameters);
    const phc = stored ?? (await this.decoy);
    const isRight = await this.run(() => matches(phc, password));
    return stored !== null && isRight;
  }

  /** Whether a stored hash has other parameters, and should be replaced at the next login. */
  isOutdated(phc: string): boolean {
    const { memoryCost, timeCost, parallelism } = this.parameters;
    return !phc.startsWith(`$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$`);
  }

  load(): HashLoad {
    const { pending, size, concurrency } = this.queue;
    return { running: pending, waiting: size, runningMax: concurrency, waitingMax: WAITING_MAX };
  }

  /** Calls back with the seconds that each hash has taken, its wait not counted. */
  onHashed(listener: (seconds: number) => void): void {
    this.listeners.push(listener);
  }

  private async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.queue.size >= WAITING_MAX) {
      throw new PlutoError('serviceUnavailable', { retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    return this.queue.add(async () => {
      const began = performance.now();
      const result = await work();
      const seconds = (performance.now() - began) / 1000;
      this.listeners.forEach((listener) => listener(seconds));
      return result;
    });
  }
}
