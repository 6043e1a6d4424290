import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { packageDirectory } from '../../src/common/package-directory.js';
import { builtServer } from '../support/built.js';

/** Makes objects of which many survive, before and after a thread has started, in a process that has done nothing else. */
const script = (compiled: string) => `
  import { getHeapSpaceStatistics } from 'node:v8';
  import { Worker } from 'node:worker_threads';
  import { keepSpaceForYoungObjects, letSpaceForYoungObjectsGrow } from ${JSON.stringify(compiled)};

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
  letSpaceForYoungObjectsGrow();
  const wide = await makeObjects();
  const worker = new Worker('setInterval(() => undefined, 1000)', { eval: true });
  await new Promise((resolve) => worker.once('online', resolve));
  const besideThread = await makeObjects();
  console.log(JSON.stringify({ narrow, wide, besideThread }));
  process.exit();
`;

describe('the space for young objects', () => {
  it('is narrow while the server starts, then 8 MB twice, also beside threads', async () => {
    await builtServer();
    const { scripts } = JSON.parse(readFileSync(join(packageDirectory, 'package.json'), 'utf8')) as {
      scripts: { start: string };
    };
    const [program, ...flags] = scripts.start.split(' ').slice(0, -1);
    expect(program).toBe('node');
    const compiled = pathToFileURL(join(packageDirectory, 'dist/src/young-objects.js')).href;
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...flags,
      '--input-type=module',
      '--eval',
      script(compiled),
    ]);
    const { narrow, wide, besideThread } = JSON.parse(stdout) as Record<string, number>;
    expect(narrow).toBeLessThanOrEqual(4);
    expect({ wide, besideThread }).toEqual({ wide: 16, besideThread: 16 });
  });
});
