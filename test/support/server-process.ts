import { randomInt } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { builtServer } from './built.js';
import { Client } from './client.js';
import { eventually } from './eventually.js';

const START_MS = 30_000;

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** The built server in a separate process, as an operator runs it. */
export class ServerProcess {
  private static readonly all = new Set<ServerProcess>();
  stdout = '';
  stderr = '';
  readonly exited: Promise<Exit>;
  private exit: Exit | null = null;

  private constructor(private readonly child: ChildProcess) {
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    // 'close' comes after the last output.
    this.exited = once(child, 'close').then(([code, signal]) => (this.exit = { code, signal }));
    ServerProcess.all.add(this);
    void this.exited.then(() => ServerProcess.all.delete(this));
  }

  /**
   * @param env all that the process is told; nothing is handed on from the environment of the tests but the
   *   path
   * @param main another file than the one that was built
   */
  static async start(cwd: string, env: Record<string, string>, main?: string): Promise<ServerProcess> {
    main ??= await builtServer();
    const { PATH = '' } = process.env;
    return new ServerProcess(
      spawn(process.execPath, [main], { cwd, env: { PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] }),
    );
  }

  /** Ends whatever a failed test has left running. */
  static async killAll(): Promise<void> {
    await Promise.all([...this.all].map((server) => server.kill('SIGKILL')));
  }

  get output(): string {
    return this.stdout + this.stderr;
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Waits until it serves. */
  async ready(): Promise<Client> {
    await eventually(
      () => this.stdout.includes('Pluto is ready.') || this.exit !== null,
      'the start of the server',
      START_MS,
    );
    if (this.exit) throw new Error(`the server ended with ${this.exit.code}: ${this.output}`);
    return new Client(this.told('Listening'));
  }

  /** A value of the table printed at start. */
  told(label: string): string {
    const value = this.findTold(label);
    if (value === null) throw new Error(`the server did not tell ${label}: ${this.output}`);
    return value;
  }

  findTold(label: string): string | null {
    return new RegExp(`^  ${label} +(.+)$`, 'm').exec(this.stdout)?.[1] ?? null;
  }

  async kill(signal: NodeJS.Signals): Promise<Exit> {
    this.child.kill(signal);
    return this.exited;
  }
}

/** Whether there is such a process; a dead one that its parent has not collected yet does not count. */
export function isRunning(pid: number): boolean {
  try {
    const [state] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!;
    return state !== 'Z' && state !== 'X';
  } catch {
    return false;
  }
}

/** Below the ports that the system gives to connections, so that none takes it before the server listens. */
const PORTS = { first: 15_000, count: 17_000 };

/** A port that nobody listens on. */
export async function freePort(): Promise<string> {
  for (;;) {
    const port = PORTS.first + randomInt(PORTS.count);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return String(port);
  }
}
