import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

const PROBE_MS = 250;

interface Upstream {
  url: URL;
  agent: Agent;
  isReady: boolean;
}

/**
 * A reverse proxy as operators put one in front: connections to the servers are kept and used in turn, a
 * server whose probe does not say 200 gets no new request, and only a refused connection is tried elsewhere,
 * since of any other failure nobody knows what the server has done already.
 */
export class Proxy {
  /** How often another server was tried. */
  retries = 0;
  private turn = 0;
  private readonly upstreams: Upstream[];
  private readonly server = createServer(
    { keepAliveTimeout: 60_000 },
    (incoming, outgoing) => void this.handle(incoming, outgoing),
  );
  private readonly probes: NodeJS.Timeout;

  private constructor(urls: string[]) {
    this.upstreams = urls.map((url) => ({
      url: new URL(url),
      agent: new Agent({ keepAlive: true }),
      isReady: true,
    }));
    this.probes = setInterval(() => this.upstreams.forEach((one) => void this.probe(one)), PROBE_MS);
  }

  static async start(urls: string[]): Promise<Proxy> {
    const proxy = new Proxy(urls);
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  isInTurn(url: string): boolean {
    return this.upstreams.some((one) => one.isReady && one.url.href === new URL(url).href);
  }

  async close(): Promise<void> {
    clearInterval(this.probes);
    this.server.close();
    this.server.closeAllConnections();
    this.upstreams.forEach(({ agent }) => agent.destroy());
    await once(this.server, 'close');
  }

  private probe(upstream: Upstream): Promise<void> {
    return fetch(new URL('/health/ready', upstream.url), {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(2000),
    }).then(
      async (response) => {
        await response.arrayBuffer();
        upstream.isReady = response.status === 200;
      },
      () => void (upstream.isReady = false),
    );
  }

  private async handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await buffer(incoming);
    const ready = this.upstreams.filter(({ isReady }) => isReady);
    const first = this.turn++;
    for (let tried = 0; tried < ready.length; tried++) {
      const upstream = ready[(first + tried) % ready.length]!;
      try {
        return await this.forward(upstream, incoming, body, outgoing);
      } catch (error) {
        if ((error as { code?: string }).code !== 'ECONNREFUSED') return fail(outgoing, 502, String(error));
        this.retries++;
      }
    }
    fail(outgoing, 503, 'no server is ready');
  }

  /** @throws whatever happened before a response began */
  private forward(
    { url: { hostname, port }, agent }: Upstream,
    { method, url: path, headers }: IncomingMessage,
    body: Buffer,
    outgoing: ServerResponse,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const own = { ...headers, connection: 'keep-alive' };
      const sent = request({ hostname, port, agent, method, path, headers: own }, (response) => {
        const answered = { ...response.headers };
        for (const ofThisConnection of ['connection', 'keep-alive']) delete answered[ofThisConnection];
        outgoing.writeHead(response.statusCode ?? 502, answered);
        response.pipe(outgoing);
        response.on('error', () => outgoing.destroy());
        response.on('end', resolve);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }
}

function fail(outgoing: ServerResponse, status: number, why: string): void {
  if (outgoing.headersSent) return void outgoing.destroy();
  outgoing.writeHead(status, { 'content-type': 'text/plain' }).end(`proxy: ${why}`);
}
