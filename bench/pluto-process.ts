import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { get as httpGet } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageDirectory } from '../src/common/package-directory.js';
import { isBeingStopped, undoAtEnd } from './cleanup.js';
import { cpuSecondsOf, familyOf, memoryMbOf } from './processes.js';

const START_MS = 30_000;
const STOP_MS = 10_000;
const LOOK_MS = 5;
const TAIL_LINES = 15;

/** The built server as a process of its own. */
export class PlutoProcess {
  private readonly exited: Promise<void>;
  private hasExited = false;
  private isToStop = false;
  readonly stop: () => Promise<void>;

  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
    private readonly logFile: string,
  ) {
    this.exited = once(child, 'exit').then(() => {
      this.hasExited = true;
      if (!this.isToStop && !isBeingStopped()) console.error(`\nPluto has ended:\n${this.logTail()}`);
    });
    this.stop = undoAtEnd(() => this.end());
  }

  /**
   * Starts it and waits for the first answer.
   * @param env all that the process is told, besides PATH and its address
   * @returns the server, and what it took from the start of the process to its first answer
   */
  static async start(
    env: Record<string, string>,
    folder: string,
  ): Promise<{ server: PlutoProcess; startedInMs: number }> {
    const port = await freePort();
    const logFile = join(folder, `pluto-${port}.log`);
    const log = openSync(logFile, 'w');
    const began = performance.now();
    const child = spawn(process.execPath, [...startFlags(), join(packageDirectory, 'dist/pluto.js')], {
      cwd: folder,
      env: { PATH: process.env.PATH ?? '', HOST: '127.0.0.1', PORT: String(port), ...env },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    const server = new PlutoProcess(child, `http://127.0.0.1:${port}`, logFile);
    await server.answer(began + START_MS);
    return { server, startedInMs: performance.now() - began };
  }

  /** @throws Error when it has ended */
  cpuSeconds(): number {
    return cpuSecondsOf(this.family());
  }

  /** @throws Error when it has ended */
  memoryMb(): number {
    return memoryMbOf(this.family());
  }

  /** The end of what it has written, requests that went well left out. */
  logTail(): string {
    const lines = readFileSync(this.logFile, 'utf8').trimEnd().split('\n');
    return lines
      .filter((line) => !line.includes('"status":200'))
      .slice(-TAIL_LINES)
      .join('\n');
  }

  /** Waits until as many workers as were asked for serve. */
  async workersServe(count: number): Promise<void> {
    const deadline = performance.now() + START_MS;
    while (readFileSync(this.logFile, 'utf8').split('a worker process serves').length - 1 < count) {
      if (performance.now() > deadline) throw new Error(`Pluto did not start ${count} workers`);
      await sleep(LOOK_MS * 10);
    }
  }

  private family(): number[] {
    if (this.hasExited) throw new Error('Pluto has ended');
    return familyOf(this.child.pid!);
  }

  private async answer(deadline: number): Promise<void> {
    while (!(await isAnswered(`${this.url}/health/live`))) {
      if (this.hasExited) throw new Error('Pluto could not start');
      if (performance.now() > deadline) throw new Error(`Pluto did not start:\n${this.logTail()}`);
      await sleep(LOOK_MS);
    }
  }

  private async end(): Promise<void> {
    this.isToStop = true;
    if (this.hasExited) return;
    this.child.kill('SIGTERM');
    const inTime = await Promise.race([this.exited.then(() => true), sleep(STOP_MS, false, { ref: false })]);
    if (!inTime) this.child.kill('SIGKILL');
    await this.exited;
  }
}

function isAnswered(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = httpGet(url, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('error', () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Those of `npm start`: a server is measured as it is run. */
function startFlags(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(packageDirectory, 'package.json'), 'utf8')) as {
    scripts: { start: string };
  };
  return scripts.start.split(' ').filter((word) => word.startsWith('--'));
}
