import { Agent, request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import type { FuzzRequest } from './fuzz-request.js';

export interface FuzzAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** Sends requests as they are, without the corrections that `fetch` makes. */
export class HttpCaller {
  private readonly agent: Agent;

  constructor(
    private readonly url: string,
    concurrency: number,
  ) {
    this.agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  }

  send({ method, path, headers, body }: Omit<FuzzRequest, 'scene'>): Promise<FuzzAnswer> {
    const { hostname, port } = new URL(this.url);
    return new Promise((resolve, reject) => {
      const sent = request({
        agent: this.agent,
        hostname,
        port,
        method,
        path,
        headers: withLength(headers, body),
      });
      sent.on('error', reject);
      sent.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      });
      sent.end(body ?? undefined);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

function withLength(headers: Record<string, string>, body: Buffer | null): Record<string, string> {
  return body === null ? headers : { ...headers, 'content-length': String(body.length) };
}
