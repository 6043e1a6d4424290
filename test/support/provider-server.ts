import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export type Fields = Record<string, unknown>;
export type Parameters = Record<string, string | undefined>;

export interface Reply {
  /** 200 without. */
  status?: number;
  /** `application/json` without. */
  contentType?: string;
  headers?: Record<string, string>;
  /** Fields of a good answer, which `alterNext` can change, or a text, which is sent as it is. */
  body?: Fields | string;
}

export interface Endpoint {
  method: 'GET' | 'POST';
  required?: string[];
  optional?: string[];
  answer: (parameters: Parameters) => Reply | Promise<Reply>;
}

const cannedFaults = {
  /** The path counts as unexpected when followed. */
  redirect: { status: 302, headers: { location: '/elsewhere' } },
  'not-json': { body: '{"access_token": "cut o' },
  'json-null': { body: 'null' },
  'json-array': { body: '[]' },
} as const satisfies Record<string, Reply>;

export type Fault =
  | Reply
  | keyof typeof cannedFaults
  /** Never answers. */
  | 'hang'
  /** Hangs up without an answer. */
  | 'drop'
  /** 64 MB of JSON, as long as somebody reads; see `bytesSent`. */
  | 'huge'
  /** Headers, then a byte a second for ever. */
  | 'slow-body';

export interface Call {
  method: string;
  path: string;
  parameters: Record<string, string>;
}

const HUGE_CHUNK = 'a'.repeat(64 * 1024);
const HUGE_CHUNKS = 1024;

/** A fake of a provider's server, which answers as the real one does and records unexpected calls. */
export abstract class ProviderServer {
  readonly calls: Call[] = [];
  /** What the real server would not have been asked, a line each. */
  readonly unexpected: string[] = [];
  /** How much of all `huge` answers was taken off us. */
  bytesSent = 0;
  /** By path. */
  protected abstract readonly endpoints: Record<string, Endpoint>;
  private faults: { path: string; fault: Fault; times: number }[] = [];
  private readonly changes = new Map<string, Fields>();
  private mayClientBeInvalid = false;
  private readonly server = createServer((request, response) => void this.handle(request, response));

  /** `http://127.0.0.1:<port>` */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  countOf(path: string): number {
    return this.calls.filter((call) => call.path === path).length;
  }

  /** Fails the calls of a path, or of all with `*`: so many of them, or all until `recover`. */
  fail(path: string, fault: Fault, times = Infinity): void {
    this.assertPath(path);
    this.faults.push({ path, fault, times });
  }

  /** Changes fields of the next good answer of a path; undefined removes one. */
  alterNext(path: string, change: Fields): void {
    this.assertPath(path);
    this.changes.set(path, change);
  }

  /** Refuses wrong credentials without holding them against the test, until `recover`. */
  allowInvalidClient(): void {
    this.mayClientBeInvalid = true;
  }

  /** Resets all faults that a test has set up. */
  recover(): void {
    this.faults = [];
    this.changes.clear();
    this.mayClientBeInvalid = false;
  }

  /** For `afterEach`: throws what was unexpected, and forgets it so that the next test is not blamed. */
  assertNothingUnexpected(): void {
    const lines = this.unexpected.splice(0);
    if (lines.length > 0) throw new Error(`${this.constructor.name} did not expect\n  ${lines.join('\n  ')}`);
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  protected async listen(): Promise<this> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return this;
  }

  protected noteInvalidClient(why: string): void {
    if (!this.mayClientBeInvalid) this.unexpected.push(why);
  }

  private assertPath(path: string): void {
    if (path !== '*' && !this.endpoints[path]) throw new Error(`${this.constructor.name} has no ${path}`);
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.answer(request, response);
    } catch (error) {
      this.unexpected.push(`${request.method} ${request.url}: ${String(error)}`);
      response.destroy();
    }
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '' } = request;
    const { pathname: path, searchParams: query } = new URL(request.url ?? '', this.url);
    const sent = method === 'POST' ? await readForm(request) : query;
    const parameters = Object.fromEntries(sent);
    this.calls.push({ method, path, parameters });
    const endpoint = this.endpoints[path];
    if (endpoint?.method !== method) {
      this.unexpected.push(`${method} ${path}`);
      return send(response, {
        status: endpoint ? 405 : 404,
        contentType: 'text/plain',
        body: 'No such thing',
      });
    }
    const objections = objectionsTo(endpoint, sent);
    if (method === 'POST' && query.size > 0)
      objections.push(`with ${[...query.keys()].join()} in its address`);
    if (method === 'POST' && !isForm(request)) objections.push(`as ${request.headers['content-type']}`);
    this.unexpected.push(...objections.map((objection) => `${method} ${path} ${objection}`));
    const fault = this.takeFault(path);
    if (fault) return this.misbehave(fault, response);
    send(response, this.altered(path, await endpoint.answer(parameters)));
  }

  private takeFault(path: string): Fault | undefined {
    const next = this.faults.find((set) => set.times > 0 && (set.path === '*' || set.path === path));
    if (next) next.times--;
    return next?.fault;
  }

  private altered(path: string, reply: Reply): Reply {
    const change = this.changes.get(path);
    if (!change || typeof reply.body !== 'object') return reply;
    this.changes.delete(path);
    return { ...reply, body: { ...reply.body, ...change } };
  }

  private async misbehave(fault: Fault, response: ServerResponse): Promise<void> {
    if (typeof fault === 'object') return send(response, fault);
    if (fault === 'hang') return;
    if (fault === 'drop') return void response.destroy();
    if (fault === 'huge') return this.pour(response);
    if (fault === 'slow-body') return drip(response);
    send(response, cannedFaults[fault]);
  }

  private async pour(response: ServerResponse): Promise<void> {
    response.writeHead(200, { 'content-type': 'application/json' });
    // To hang up early is what a client should do.
    await pipeline(Readable.from(this.hugeJson(), { highWaterMark: 1 }), response).catch(() => undefined);
  }

  private *hugeJson(): Generator<string> {
    yield '{"filler":"';
    for (let chunk = 0; chunk < HUGE_CHUNKS; chunk++) {
      yield HUGE_CHUNK;
      this.bytesSent += HUGE_CHUNK.length;
    }
    yield '"}';
  }
}

export function nowInSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

function objectionsTo({ required = [], optional = [] }: Endpoint, sent: URLSearchParams): string[] {
  const names = [...sent.keys()];
  return [
    ...required.filter((name) => !sent.get(name)).map((name) => `without ${name}`),
    ...names
      .filter((name) => !required.includes(name) && !optional.includes(name))
      .map((name) => `with ${name}`),
    ...names.filter((name, index) => names.indexOf(name) < index).map((name) => `with ${name} twice`),
  ];
}

function isForm(request: IncomingMessage): boolean {
  return request.headers['content-type']?.split(';')[0] === 'application/x-www-form-urlencoded';
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return new URLSearchParams(isForm(request) ? Buffer.concat(chunks).toString() : '');
}

function send(response: ServerResponse, reply: Reply): void {
  const { status = 200, contentType = 'application/json', headers, body = '' } = reply;
  response.writeHead(status, { 'content-type': contentType, ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

function drip(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
  const timer = setInterval(() => response.write(' '), 1000);
  response.on('close', () => clearInterval(timer));
}
