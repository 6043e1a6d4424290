import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Registry } from 'prom-client';
import { bearsToken } from './scrape-token.js';

interface ScrapeOptions {
  port: number;
  host: string;
  /** The bearer token required of a scrape; undefined for none. */
  token: string | undefined;
  text: () => Promise<string>;
}

/** Serves `GET /metrics` and nothing else, on a port that is not public. @throws Error if it cannot listen */
export async function listenForScrapes({ port, host, token, text }: ScrapeOptions): Promise<Server> {
  const server = createServer((request, response) => {
    const refusal = refusalOf(request, token);
    if (refusal) return send(response, refusal, '');
    text().then(
      (body) => send(response, 200, request.method === 'HEAD' ? '' : body),
      () => send(response, 500, ''),
    );
  });
  server.listen(port, host);
  await once(server, 'listening');
  return server;
}

function refusalOf({ url = '', method, headers }: IncomingMessage, token: string | undefined): number | null {
  if (url.split('?', 1)[0] !== '/metrics') return 404;
  if (method !== 'GET' && method !== 'HEAD') return 405;
  return token === undefined || bearsToken(headers.authorization, token) ? null : 401;
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    'content-type': Registry.PROMETHEUS_CONTENT_TYPE,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 401 && { 'www-authenticate': 'Bearer' }),
    ...(status === 405 && { allow: 'GET, HEAD' }),
  });
  response.end(body);
}
