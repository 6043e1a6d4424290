import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { generate, missingCommands, missingGenerator, run } from './tools.mjs';

/** By openapi-generator. */
export const go = {
  missing: () => missingCommands('go') ?? missingGenerator(),
  build(folder) {
    cpSync(join(import.meta.dirname, 'go'), folder, { recursive: true });
    mkdirSync(join(folder, 'pluto'));
    generate(join(folder, 'pluto'), 'go', 'packageName=pluto,withGoMod=false');
    run(folder, 'go', 'mod', 'init', 'example.org/journey');
    run(folder, 'rm', '-rf', 'pluto/test');
    run(folder, 'go', 'mod', 'tidy');
    run(folder, 'go', 'vet', './...');
    run(folder, 'go', 'build', '-o', 'journey', '.');
    return [join(folder, 'journey')];
  },
};
