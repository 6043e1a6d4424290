import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, getPriority } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { Logger } from '@nestjs/common';
import { PasswordHashParameters } from '../../src/auth/password-hash-parameters.js';
import { PasswordHasher } from '../../src/auth/password-hasher.service.js';
import type { Settings } from '../../src/config/settings.js';
import { eventually } from '../support/eventually.js';

const CORES = availableParallelism();
const THREADS = Math.min(4, CORES);
const BUSY = { key: 'serviceUnavailable', retryAfterSeconds: 2 };

let hasher: PasswordHasher;
beforeEach(() => (hasher = new PasswordHasher({ workers: 1 } as Settings, new PasswordHashParameters())));
afterEach(async () => {
  await hasher.onApplicationShutdown();
  jest.restoreAllMocks();
});

/** Those that hash now. */
const threadsOf = (one: PasswordHasher) =>
  (one as unknown as { started: { threads: Worker[] } }).started.threads;

/** The nice values of this process's threads (proc(5), the 19th field of `stat`). */
function niceValues(): number[] {
  return readdirSync('/proc/self/task').map((thread) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
    // The second field is a name, which may hold anything.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  });
}
const politeThreads = () => niceValues().filter((nice) => nice > getPriority()).length;

describe('PasswordHasher', () => {
  it('hashes by argon2id, and checks', async () => {
    const phc = await hasher.hash('a password');
    expect(phc).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]+\$[\w+/]+$/);
    expect(await hasher.verify(phc, 'a password')).toBe(true);
    expect(await hasher.verify(phc, 'another')).toBe(false);
    expect(await hasher.verify(null, 'a password')).toBe(false);
  });

  it('hashes by the parameters that it is given, and knows a hash by others as outdated', async () => {
    const cheap = new PasswordHasher({ workers: 1 } as Settings, {
      memoryCost: 1024,
      timeCost: 1,
      parallelism: 1,
    });
    const phc = await cheap.hash('a password');
    await cheap.onApplicationShutdown();
    expect(phc).toMatch(/^\$argon2id\$v=19\$m=1024,t=1,p=1\$/);
    expect(await hasher.verify(phc, 'a password')).toBe(true);
    expect([cheap.isOutdated(phc), hasher.isOutdated(phc)]).toEqual([false, true]);
  });

  it('fails at a stored password that it cannot read, and goes on', async () => {
    await expect(hasher.verify('$scrypt$what', 'a password')).rejects.toThrow(
      'a stored password has an unknown format',
    );
    await expect(hasher.verify('plain', 'a password')).rejects.toThrow();
    expect(hasher.load()).toMatchObject({ running: 0, waiting: 0 });
    expect(await hasher.verify(await hasher.hash('a password'), 'a password')).toBe(true);
  });

  it('starts its threads with the first hash, and ends them', async () => {
    await hasher.hash('a password');
    expect(threadsOf(hasher)).toHaveLength(THREADS);
    await hasher.onApplicationShutdown();
    expect(await hasher.verify(null, 'starts others')).toBe(false);
    expect(threadsOf(hasher)).toHaveLength(THREADS);
  });

  // Only there a thread has a priority.
  if (process.platform === 'linux') {
    it('has them below all others', async () => {
      expect(politeThreads()).toBe(0);
      await hasher.hash('a password');
      await eventually(() => politeThreads() === THREADS);
      expect(niceValues()).toContain(getPriority());
      await hasher.onApplicationShutdown();
      await eventually(() => politeThreads() === 0);
    });
  }

  it('answers 503 where a thread has died, and goes on with others', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation();
    const phc = await hasher.hash('a password');
    const hashes = Array.from({ length: 30 }, () => hasher.hash('a password'));
    await threadsOf(hasher)[0]!.terminate();
    const settled = await Promise.allSettled(hashes);
    const failed = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    expect(failed.length).toBeGreaterThan(0);
    for (const failure of failed) expect(failure).toMatchObject(BUSY);
    expect(logged).toHaveBeenCalledTimes(1);
    expect(hasher.load()).toMatchObject({ running: 0, waiting: 0 });
    expect(await hasher.verify(phc, 'a password')).toBe(true);
  });

  it('answers 503 where no thread can start, each time, and the process stays', async () => {
    class Broken extends PasswordHasher {
      protected override readonly threadFile = '/there/is/no/such/file.js';
    }
    jest.spyOn(Logger.prototype, 'error').mockImplementation();
    const broken = new Broken({ workers: 1 } as Settings, new PasswordHashParameters());
    for (const count of [1, 30, 1]) {
      const hashes = Array.from({ length: count }, () => broken.hash('a password'));
      for (const outcome of await Promise.allSettled(hashes)) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: BUSY });
      }
      expect(broken.load()).toMatchObject({ running: 0, waiting: 0 });
    }
    await broken.onApplicationShutdown();
  });

  it('shares the processors with the other workers', () => {
    const { runningMax } = new PasswordHasher(
      { workers: CORES + 1 } as Settings,
      new PasswordHashParameters(),
    ).load();
    expect(runningMax).toBe(1);
  });

  it('answers in the order of the questions, more or less: no one waits for all others', async () => {
    const { runningMax } = hasher.load();
    await Promise.all(Array.from({ length: 2 * runningMax }, () => hasher.hash('awake')));
    const finished: number[] = [];
    const numbers = Array.from({ length: 20 * runningMax }, (_, number) => number);
    await Promise.all(numbers.map((number) => hasher.hash(String(number)).then(() => finished.push(number))));
    const overtaken = finished.map((number, place) => finished.slice(place).filter((n) => n < number).length);
    // Two to each thread are under way at once; however slow a thread is, it keeps only its own from being answered.
    expect(Math.max(...overtaken)).toBeLessThan(2 * runningMax);
  });

  it('lets 200 wait, and tells the next to come back', async () => {
    const { runningMax, waitingMax } = hasher.load();
    const hashes = Array.from({ length: runningMax + waitingMax }, () => hasher.hash('a password'));
    expect(hasher.load()).toMatchObject({ running: runningMax, waiting: 200 });
    await expect(hasher.hash('one too many')).rejects.toMatchObject(BUSY);
    await expect(hasher.verify(null, 'one too many')).rejects.toThrow();
    expect(new Set(await Promise.all(hashes)).size).toBe(hashes.length);
    expect(hasher.load()).toMatchObject({ running: 0, waiting: 0 });
  });

  it('tells how long each has taken, without its wait', async () => {
    const seconds: number[] = [];
    hasher.onHashed((each) => seconds.push(each));
    await Promise.all(Array.from({ length: 20 }, () => hasher.hash('a password')));
    expect(seconds).toHaveLength(20);
    const began = performance.now();
    await hasher.hash('a password');
    expect(seconds.at(-1)).toBeLessThanOrEqual((performance.now() - began) / 1000);
    expect(seconds.at(-1)).toBeGreaterThan(0.001);
  });
});
