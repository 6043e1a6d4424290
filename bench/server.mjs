// A built Pluto in a separate process, with the flags of its `npm start`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { undoAtEnd } from './cleanup.mjs';

const START_MS = 60_000;
/** On Linux, for every architecture that Node supports. */
const TICKS_PER_SECOND = 100;

/** Starts the build in a folder and waits for its first response. */
export async function startServer(build, folder, env) {
  const { scripts } = JSON.parse(readFileSync(join(build, 'package.json'), 'utf8'));
  const flags = scripts.start.split(' ').filter((word) => word.startsWith('--'));
  const child = spawn(process.execPath, [...flags, join(build, 'dist/pluto.js')], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: '0', LOG_FORMAT: 'json', ...env },
  });
  const exited = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  undoAtEnd(stop);
  const url = await listeningAt(child);
  await fetch(`${url}/health/live`);
  return { url, stop, cpuSeconds: () => cpuSeconds(child.pid), memoryMb: () => memoryMb(child.pid) };
}

async function listeningAt(child) {
  let output = '';
  let isReady = false;
  const keep = (text) => {
    // Later log lines are dropped.
    if (!isReady) output += text;
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  for (const deadline = performance.now() + START_MS; performance.now() < deadline; await sleep(5)) {
    const url = /^ {2}Listening +(\S+)$/m.exec(output)?.[1];
    isReady = url !== undefined;
    if (isReady) return url;
    if (child.exitCode !== null) break;
  }
  throw new Error(`the server did not start:\n${output}`);
}

/** CPU time of all threads since the start. */
function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return (Number(user) + Number(system)) / TICKS_PER_SECOND;
}

function memoryMb(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}
