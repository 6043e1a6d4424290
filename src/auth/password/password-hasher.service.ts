import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Injectable } from '@nestjs/common';
import { hash } from '@node-rs/argon2';
import PQueue from 'p-queue';
import { equalInConstantTime } from '../../common/crypto.js';
import { PlutoError } from '../../common/errors.js';
import { PasswordHashParameters } from './password-hash-parameters.js';
import { argon2Settings, matches } from './password-hash.js';

/** Node's thread pool has four threads: one is left for signatures and files. */
const RUNNING_MAX = 3;
/** Bounds the wait: further callers are refused. */
const WAITING_MAX = 200;
const RETRY_AFTER_SECONDS = 2;
/** As the library's own hashes have them. */
const SALT_BYTES = 16;
const HASH_BYTES = 32;

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
  private readonly listeners: ((seconds: number) => void)[] = [];

  constructor(private readonly parameters: PasswordHashParameters) {}

  /**
   * @param salt 16 bytes, where equal passwords must have equal hashes; random by default
   * @returns PHC string (argon2id)
   * @throws PlutoError serviceUnavailable when too many are waiting
   */
  hash(password: string, salt: Buffer = randomBytes(SALT_BYTES)): Promise<string> {
    return this.run(() => hash(password, { ...this.parameters, salt }));
  }

  /**
   * Verifies a password against a PHC string; null costs the same and never matches.
   * @throws PlutoError serviceUnavailable when too many are waiting
   */
  async verify(stored: string | null, password: string): Promise<boolean> {
    const phc = stored ?? this.decoy();
    const isRight = await this.run(() => matches(phc, password));
    return stored !== null && isRight;
  }

  /**
   * Finds which of several PHC strings a password matches, for the work of one: those of a list that has more
   * than one share the salt and the parameters of the first, or are not found.
   * @returns the index; -1 for none
   * @throws PlutoError serviceUnavailable when too many are waiting
   */
  async findMatch(stored: readonly (string | null)[], password: string): Promise<number> {
    const first = stored.findIndex((phc) => phc !== null);
    const phc = stored[first] ?? null;
    const alike = phc !== null && stored.length > 1 ? argon2Settings(phc) : null;
    if (!alike) return (await this.verify(phc, password)) ? first : -1;
    const computed = await this.run(() => hash(password, alike));
    return stored.findIndex((one) => one !== null && equalInConstantTime(one, computed));
  }

  /** Whether a stored hash has other parameters and should be replaced at the next login. */
  isOutdated(phc: string): boolean {
    return !phc.startsWith(this.prefix);
  }

  load(): HashLoad {
    const { pending, size, concurrency } = this.queue;
    return { running: pending, waiting: size, runningMax: concurrency, waitingMax: WAITING_MAX };
  }

  /** Calls back with the seconds that each hash took, without its wait. */
  onHashed(listener: (seconds: number) => void): void {
    this.listeners.push(listener);
  }

  /** What no password matches: checked where there is no account, for the same work as a wrong password. */
  private decoy(): string {
    return `${this.prefix}${unpaddedBase64(SALT_BYTES)}$${unpaddedBase64(HASH_BYTES)}`;
  }

  private get prefix(): string {
    const { memoryCost, timeCost, parallelism } = this.parameters;
    return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$`;
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

function unpaddedBase64(bytes: number): string {
  return randomBytes(bytes).toString('base64').replace(/=+$/, '');
}
