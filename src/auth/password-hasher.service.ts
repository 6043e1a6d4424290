import { scrypt, type ScryptOptions } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { Injectable } from '@nestjs/common';
import { hash, verify } from '@node-rs/argon2';
import PQueue from 'p-queue';
import { equalInConstantTime, randomToken } from '../common/crypto.js';
import { PlutoError } from '../common/errors.js';

/** OWASP's minimum for argon2id, which is the library's default algorithm; memory in KiB. */
const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const ARGON2_PREFIX = '$argon2id$v=19$m=19456,t=2,p=1$';

/**
 * One less than the pool has threads, so that signing is not starved, and no more than there are cores: another would
 * only take time from the event loop (with 50 logins at once, on two cores, refreshes then waited four times as long).
 */
const POOL_THREADS = Number(process.env.UV_THREADPOOL_SIZE ?? 4);
const PARALLEL_HASHES = Math.max(1, Math.min(POOL_THREADS - 1, availableParallelism()));
/** About two seconds' worth: a caller who would wait longer is told to come back. */
const WAITING_MAX = 200;
const RETRY_AFTER_SECONDS = 2;

const scryptAsync = promisify(scrypt) as (
  password: string,
  salt: Buffer,
  length: number,
  options: ScryptOptions,
) => Promise<Buffer>;

/** How much there is to do, and how much is let wait. */
export interface HashLoad {
  running: number;
  waiting: number;
  runningMax: number;
  waitingMax: number;
}

/** Hashes passwords on the thread pool, a bounded number at once. */
@Injectable()
export class PasswordHasher {
  private readonly queue = new PQueue({ concurrency: PARALLEL_HASHES });
  /** Checked where there is no account, so that the answer takes as long as for a wrong password. */
  private readonly decoy = hash(randomToken(), ARGON2);
  private readonly listeners: ((seconds: number) => void)[] = [];

  /**
   * @returns PHC string (argon2id)
   * @throws PlutoError serviceUnavailable when too many are waiting
   */
  hash(password: string): Promise<string> {
    return this.enqueue(() => hash(password, ARGON2));
  }

  /**
   * Checks a password against a PHC string, or against nothing at the same cost.
   * @throws PlutoError serviceUnavailable when too many are waiting
   */
  async verify(stored: string | null, password: string): Promise<boolean> {
    const phc = stored ?? (await this.decoy);
    const matches = await this.enqueue(() =>
      phc.startsWith('$scrypt$') ? verifyScrypt(phc, password) : verify(phc, password),
    );
    return stored !== null && matches;
  }

  /** Whether a stored hash should be made anew at the next login. */
  isOutdated(phc: string): boolean {
    return !phc.startsWith(ARGON2_PREFIX);
  }

  load(): HashLoad {
    const { pending: running, size: waiting } = this.queue;
    return { running, waiting, runningMax: PARALLEL_HASHES, waitingMax: WAITING_MAX };
  }

  /** Calls back with the seconds that each hash has taken, its wait not counted. */
  onHashed(listener: (seconds: number) => void): void {
    this.listeners.push(listener);
  }

  private enqueue<T>(work: () => Promise<T>): Promise<T> {
    if (this.queue.size >= WAITING_MAX) {
      throw new PlutoError('serviceUnavailable', { retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    return this.queue.add(() => this.timed(work));
  }

  private async timed<T>(work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await work();
    } finally {
      const seconds = (performance.now() - began) / 1000;
      this.listeners.forEach((listener) => listener(seconds));
    }
  }
}

/** `$scrypt$ln=14,r=8,p=1$<salt>$<hash>`, base64 without padding: what the earlier servers' passwords came as. */
async function verifyScrypt(phc: string, password: string): Promise<boolean> {
  const parts = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(
    phc,
  );
  if (!parts) throw new Error('a stored password has an unknown format');
  const [, ln, r, p, salt = '', expected = ''] = parts;
  const expectedBytes = Buffer.from(expected, 'base64');
  const derived = await scryptAsync(password, Buffer.from(salt, 'base64'), expectedBytes.length, {
    N: 2 ** Number(ln),
    r: Number(r),
    p: Number(p),
    maxmem: 256 * 1024 * 1024,
  });
  return equalInConstantTime(derived.toString('base64'), expectedBytes.toString('base64'));
}
