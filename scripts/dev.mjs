// Compiles at each change of a source and restarts the server, without the bundle.
import { spawn, spawnSync } from 'node:child_process';

const compiler = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'];
const { status } = spawnSync(process.execPath, compiler, { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);

const children = [
  [...compiler, '--watch', '--preserveWatchOutput'],
  ['--watch', '--watch-path', 'dist', '--watch-preserve-output', 'dist/src/main.js'],
].map((args) => spawn(process.execPath, args, { stdio: 'inherit' }));
for (const child of children)
  child.once('exit', () => {
    for (const other of children) other.kill();
  });
