import { CACHED_FROM, CACHED_MS, CountCache } from '../../src/users/count-cache.js';

interface Counts {
  total: number;
}

let counts: CountCache<Counts>;
let now: number;
beforeEach(() => {
  counts = new CountCache();
  now = performance.now();
  jest.spyOn(performance, 'now').mockImplementation(() => now);
});
afterEach(() => jest.restoreAllMocks());

const totalOf = async (question: string, count: () => Promise<Counts>) =>
  (await counts.get(question, count)).total;

/** The counting of each number in turn. */
function countingOf(...totals: number[]) {
  const count = jest.fn<Promise<Counts>, []>();
  for (const total of totals) count.mockResolvedValueOnce({ total });
  return count;
}

/** A counting that goes on until it is told how it ends. */
function slowCounting() {
  const ends: { resolve: (counts: Counts) => void; reject: (error: Error) => void }[] = [];
  const count = jest.fn(() => new Promise<Counts>((resolve, reject) => ends.push({ resolve, reject })));
  return { count, ends };
}

describe('large counts', () => {
  it('are cached for ten seconds', async () => {
    const count = countingOf(CACHED_FROM, CACHED_FROM + 1);
    expect(await totalOf('a', count)).toBe(CACHED_FROM);
    now += CACHED_MS;
    expect(await totalOf('a', count)).toBe(CACHED_FROM);
    now += 1;
    expect(await totalOf('a', count)).toBe(CACHED_FROM + 1);
    expect(count).toHaveBeenCalledTimes(2);
  });

  it('are not prolonged by reads', async () => {
    const count = countingOf(CACHED_FROM, CACHED_FROM + 1);
    for (let time = 0; time < 3; time++) {
      await totalOf('a', count);
      now += CACHED_MS / 3;
    }
    now += 1;
    expect(await totalOf('a', count)).toBe(CACHED_FROM + 1);
  });

  it('are cached separately for each query', async () => {
    expect(await totalOf('a', countingOf(CACHED_FROM))).toBe(CACHED_FROM);
    expect(await totalOf('b', countingOf(CACHED_FROM + 7))).toBe(CACHED_FROM + 7);
    expect(await totalOf('a', countingOf())).toBe(CACHED_FROM);
  });

  it('are computed once for concurrent callers', async () => {
    const { count, ends } = slowCounting();
    const asked = [totalOf('a', count), totalOf('a', count), totalOf('a', count)];
    expect(count).toHaveBeenCalledTimes(1);
    ends[0]!.resolve({ total: CACHED_FROM });
    expect(await Promise.all(asked)).toEqual([CACHED_FROM, CACHED_FROM, CACHED_FROM]);
    expect(count).toHaveBeenCalledTimes(1);
  });

  it('are cached for the hundred most recent queries', async () => {
    const ask = (question: number) => totalOf(`q${question}`, countingOf(CACHED_FROM + question));
    for (let question = 0; question <= 100; question++) await ask(question);
    const again = countingOf(CACHED_FROM);
    for (let question = 1; question <= 100; question++) await totalOf(`q${question}`, again);
    expect(again).not.toHaveBeenCalled();
    await totalOf('q0', again);
    expect(again).toHaveBeenCalledTimes(1);
  });
});

describe('small counts', () => {
  it('are computed each time', async () => {
    const few = CACHED_FROM - 1;
    const count = countingOf(few, 3, 0, 4);
    for (const total of [few, 3, 0, 4]) expect(await totalOf('a', count)).toBe(total);
  });

  it('replace a large count once that has expired', async () => {
    const count = countingOf(CACHED_FROM, 3, 2);
    await totalOf('a', count);
    now += CACHED_MS + 1;
    expect(await totalOf('a', count)).toBe(3);
    expect(await totalOf('a', count)).toBe(2);
  });
});

describe('counts that fail', () => {
  it('fail for all who wait for them, and are counted again for the next', async () => {
    const { count, ends } = slowCounting();
    const asked = [totalOf('a', count), totalOf('a', count)];
    const failure = new Error('the database is unreachable');
    ends[0]!.reject(failure);
    expect(await Promise.allSettled(asked)).toEqual([
      { status: 'rejected', reason: failure },
      { status: 'rejected', reason: failure },
    ]);
    expect(count).toHaveBeenCalledTimes(1);
    expect(await totalOf('a', countingOf(CACHED_FROM))).toBe(CACHED_FROM);
  });

  it('do not end those that are cached', async () => {
    await totalOf('a', countingOf(CACHED_FROM));
    await expect(totalOf('b', () => Promise.reject(new Error('away')))).rejects.toThrow('away');
    expect(await totalOf('a', countingOf())).toBe(CACHED_FROM);
  });
});
