import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { packageDirectory } from '../../src/common/package-directory.js';

const compiled = pathToFileURL(join(packageDirectory, 'dist/src/young-objects.js')).href;

/** Makes objects of which many survive, before and after a thread has started, in a process that has done nothing else. */
const script = `
  import { getHeapSpaceStatistics } from 'node:v8';
  import { Worker } from 'node:worker_threads';
  import { keepSpaceForYoungObjects, widenSpaceForYoungObjects } from ${JSON.stringify(compiled)};

  const kept = [];
  let made = 0;
  async function makeObjects() {
    for (let turn = 0; turn < 400; turn++) {
      for (let i = 0; i < 20_000; i++) kept[made++ % 60_000] = { i, list: [i] };
      await new Promise(setImmediate);
    }
    return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size / 2 ** 20;
  }

  keepSpaceForYoungObjects();
  const narrow = await makeObjects();
  widenSpaceForYoungObjects();
  const wide = await makeObjects();
  const worker = new Worker('setInterval(() => undefined, 1000)', { eval: true });
  await new Promise((resolve) => worker.once('online', resolve));
  const besideThread = await makeObjects();
  console.log(JSON.stringify({ narrow, wide, besideThread }));
  process.exit();
`;

describe('the space for young objects', () => {
  it('is narrow while the server starts, then 8 MB twice, also beside threads', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
    const { narrow, wide, besideThread } = JSON.parse(stdout) as Record<string, number>;
    expect(narrow).toBeLessThanOrEqual(4);
    expect({ wide, besideThread }).toEqual({ wide: 16, besideThread: 16 });
  });
});
