import { availableParallelism } from 'node:os';
import { PasswordHashParameters } from '../../src/auth/password/password-hash-parameters.js';
import { PasswordHasher } from '../../src/auth/password/password-hasher.service.js';

const RUNNING_MAX = Math.min(3, availableParallelism());
const BUSY = { key: 'serviceUnavailable', retryAfterSeconds: 2 };
const CHEAP = { memoryCost: 1024, timeCost: 1, parallelism: 1 };

describe('PasswordHasher', () => {
  it('hashes by argon2id with the minimum of OWASP, and checks', async () => {
    const hasher = new PasswordHasher(new PasswordHashParameters());
    const phc = await hasher.hash('a password');
    expect(phc).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]+\$[\w+/]+$/);
    expect(await hasher.verify(phc, 'a password')).toBe(true);
    expect(await hasher.verify(phc, 'another')).toBe(false);
    expect(await hasher.verify(null, 'a password')).toBe(false);
  });

  it('hashes by the parameters that it is given, and reports a hash by others as outdated', async () => {
    const hasher = new PasswordHasher(CHEAP);
    const phc = await hasher.hash('a password');
    expect(phc).toMatch(/^\$argon2id\$v=19\$m=1024,t=1,p=1\$/);
    const production = new PasswordHasher(new PasswordHashParameters());
    expect(await production.verify(phc, 'a password')).toBe(true);
    expect([hasher.isOutdated(phc), production.isOutdated(phc)]).toEqual([false, true]);
  });

  it('computes as many hashes for an unknown account as for a wrong password', async () => {
    const hasher = new PasswordHasher(CHEAP);
    const phc = await hasher.hash('a password');
    await hasher.verify(null, 'makes the hash that unknown accounts are checked against');
    const computed = jest.fn();
    hasher.onHashed(computed);
    for (const stored of [phc, null]) {
      computed.mockClear();
      expect(await hasher.verify(stored, 'another')).toBe(false);
      expect(computed).toHaveBeenCalledTimes(1);
    }
  });

  it('fails at a stored password that it cannot read, and continues', async () => {
    const hasher = new PasswordHasher(CHEAP);
    await expect(hasher.verify('$scrypt$what', 'a password')).rejects.toThrow(
      'a stored password has an unknown format',
    );
    await expect(hasher.verify('plain', 'a password')).rejects.toThrow();
    expect(hasher.load()).toMatchObject({ running: 0, waiting: 0 });
    expect(await hasher.verify(await hasher.hash('a password'), 'a password')).toBe(true);
  });

  it('lets 200 wait, and refuses the next', async () => {
    const hasher = new PasswordHasher(CHEAP);
    expect(hasher.load()).toEqual({ running: 0, waiting: 0, runningMax: RUNNING_MAX, waitingMax: 200 });
    const hashes = Array.from({ length: RUNNING_MAX + 200 }, () => hasher.hash('a password'));
    expect(hasher.load()).toMatchObject({ running: RUNNING_MAX, waiting: 200 });
    await expect(hasher.hash('one too many')).rejects.toMatchObject(BUSY);
    await expect(hasher.verify('any', 'one too many')).rejects.toMatchObject(BUSY);
    expect(new Set(await Promise.all(hashes)).size).toBe(hashes.length);
    expect(hasher.load()).toMatchObject({ running: 0, waiting: 0 });
  });

  it('reports how long each has taken, without its wait', async () => {
    const hasher = new PasswordHasher(CHEAP);
    const seconds: number[] = [];
    hasher.onHashed((each) => seconds.push(each));
    const began = performance.now();
    await Promise.all(Array.from({ length: 20 }, () => hasher.hash('a password')));
    const elapsed = (performance.now() - began) / 1000;
    expect(seconds).toHaveLength(20);
    expect(Math.min(...seconds)).toBeGreaterThan(0);
    expect(seconds.reduce((sum, each) => sum + each)).toBeLessThanOrEqual(RUNNING_MAX * elapsed);
  });
});
