import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { generate, missingCommands, missingGenerator, run } from './tools.mjs';

/** By openapi-generator, with its requirements in an environment of its own. */
export const python = {
  missing: () => missingCommands('python3') ?? missingGenerator(),
  build(folder) {
    cpSync(join(import.meta.dirname, 'python'), folder, { recursive: true });
    generate(folder, 'python', 'packageName=pluto');
    run(folder, 'python3', '-m', 'venv', 'venv');
    const interpreter = join(folder, 'venv/bin/python');
    run(folder, interpreter, '-m', 'pip', 'install', '--quiet', '-r', 'requirements.txt');
    run(folder, interpreter, '-m', 'compileall', '-q', 'pluto');
    return [interpreter, join(folder, 'journey.py')];
  },
};
