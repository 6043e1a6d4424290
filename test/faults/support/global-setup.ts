import { execFileSync, spawnSync } from 'node:child_process';

/** What these tests start, stop, freeze and kill; Debian's packages mariadb-server and redis-server. */
const programs = ['mariadbd', 'redis-server'];

/** Builds, and fails immediately if a program is missing: no test is skipped silently. */
export default function prepareRun(): void {
  // What it prints is part of the error if it fails.
  execFileSync(process.execPath, ['scripts/build-if-stale.mjs'], { stdio: 'pipe' });
  const path = `${process.env.PATH ?? ''}:/usr/sbin`;
  const missing = programs.filter(
    (program) => spawnSync(program, ['--version'], { env: { ...process.env, PATH: path } }).status !== 0,
  );
  if (missing.length > 0) throw new Error(`test:faults needs ${missing.join(' and ')} on this machine`);
}
