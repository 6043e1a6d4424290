import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { BENCH_PASSWORD } from './accounts.js';
import { undoAtEnd } from './cleanup.js';
import type { CryptoRequest } from './limit-crypto.js';
import type { Answers } from './limit-server.js';
import { runLoad, type LoadRequest, type LoadResult } from './load.js';
import type { LimitKind } from './scenarios.js';
import type { Call } from './traffic.js';

/** What a limit came to; latencies where requests were sent. */
export type LimitResult = Pick<LoadResult, 'requestsPerSecond'> & Partial<LoadResult>;

/** The processes that show what the machine could do at best. */
export class Limits {
  private constructor(
    private readonly crypto: ChildProcess,
    private readonly bareUrl: string,
    private readonly passwordHash: string,
  ) {}

  /**
   * @param samples requests whose answers, as Pluto gives them, the bare routes give; one a path
   * @param passwordHash of `BENCH_PASSWORD`, at the parameters of the server
   */
  static async start(pluto: string, samples: Call[], passwordHash: string): Promise<Limits> {
    const bareUrl = await startRoutes('limit-server.js', await answersOf(pluto, samples));
    return new Limits(start('limit-crypto.js'), bareUrl, passwordHash);
  }

  /** What the limit allows now; the same load on the bare server for a route. */
  async measure(kind: LimitKind, load: Omit<LoadRequest, 'url'>): Promise<LimitResult> {
    if (kind === 'route') return runLoad({ ...load, url: this.bareUrl });
    const { seconds } = load;
    const request: CryptoRequest =
      kind === 'hash'
        ? { work: 'hash', seconds, passwordHash: this.passwordHash, password: BENCH_PASSWORD }
        : { work: 'sign', seconds };
    this.crypto.send(request);
    return { requestsPerSecond: await answerOf<number>(this.crypto) };
  }
}

/** What Pluto answers, by path. */
export async function answersOf(pluto: string, samples: Call[]): Promise<Answers> {
  const answers: Answers = {};
  for (const { path, headers } of samples) {
    const response = await fetch(pluto + path, { headers });
    if (!response.ok) throw new Error(`Pluto answered with ${response.status}`);
    answers[new URL(path, pluto).pathname] = await response.text();
  }
  return answers;
}

/** Starts a server of these answers. @returns its URL */
export function startRoutes(file: string, answers: Answers): Promise<string> {
  const server = start(file);
  server.send(answers);
  return answerOf<string>(server);
}

function start(file: string): ChildProcess {
  const child = fork(join(import.meta.dirname, file));
  undoAtEnd(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  return child;
}

async function answerOf<T>(child: ChildProcess): Promise<T> {
  const ended = new AbortController();
  const exit = once(child, 'exit', ended).then(() => {
    throw new Error('a process that measures a limit has ended');
  });
  exit.catch(() => undefined);
  try {
    const [answer] = await Promise.race([once(child, 'message', ended), exit]);
    return answer as T;
  } finally {
    ended.abort();
  }
}
