// Checks the messages of the commits since the rule holds, the newest first.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { commitFaults } from './commit-rules.mjs';

/** The last commit that was made before the rule. */
const BASE = '7ccda0ec38a0ac00278ece52c5366282e3a63010';
const root = join(import.meta.dirname, '..');

/** CI may run as another user than the one who cloned, which git refuses by default. */
function git(...parameters) {
  const options = { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'pipe'] };
  return execFileSync('git', ['-c', 'safe.directory=*', ...parameters], options);
}

function hasBase() {
  try {
    git('cat-file', '-e', `${BASE}^{commit}`);
    return true;
  } catch {
    return false;
  }
}

/** A shallow clone that does not reach back to the base has newer commits alone. */
function range() {
  if (hasBase()) return `${BASE}..HEAD`;
  if (git('rev-parse', '--is-shallow-repository').trim() === 'true') return 'HEAD';
  throw new Error(`the history has no commit ${BASE}`);
}

function checkCommits() {
  const log = git('log', '-z', '--no-merges', '--format=%h%n%B', range());
  const commits = log.split('\0').filter((entry) => entry !== '');
  for (const entry of commits) {
    const [hash, subject] = entry.split('\n');
    for (const fault of commitFaults(entry.slice(hash.length + 1))) {
      console.error(`${hash} ${subject}\n  ${fault}`);
      process.exitCode = 1;
    }
  }
  if (process.exitCode === undefined)
    console.log(`check:commits: ${commits.length} commit messages are fine`);
}

if (!existsSync(join(root, '.git'))) {
  console.log('check:commits: not a git checkout, so no commit messages were checked');
} else {
  try {
    checkCommits();
  } catch (error) {
    console.error(
      `check:commits: the commits cannot be read: ${String(error.stderr ?? '').trim() || error.message}`,
    );
    process.exitCode = 1;
  }
}
