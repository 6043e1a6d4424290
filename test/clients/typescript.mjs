import { cpSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { document, root, run } from './tools.mjs';

const bin = (name) => join(root, 'node_modules/.bin', name);

/** Types by openapi-typescript, requests by openapi-fetch, compiled by tsc with all strictness. */
export const typescript = {
  missing: () => null,
  build(folder) {
    cpSync(join(import.meta.dirname, 'typescript'), folder, { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    run(folder, bin('openapi-typescript'), document, '-o', join(folder, 'pluto.d.ts'));
    run(folder, bin('tsc'), '-p', folder);
    return [process.execPath, join(folder, 'journey.js')];
  },
};
