import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { PlutoError } from '../errors.js';
import { isForPage, pathOf } from './requests.js';
import type { InFlightRequests } from './in-flight-requests.js';

const PAGE_CSP =
  "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/** Swagger UI uses inline styles. */
const DOCS_CSP =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'";
const HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy': PAGE_CSP,
  'cache-control': 'no-store',
};
const DOCS_HEADERS = { ...HEADERS, 'content-security-policy': DOCS_CSP };
const HSTS = 'max-age=31536000';

/** The id in the response and in every log line of a request; a proxy's id is kept if it is well-formed. */
export function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}

interface HookOptions {
  isHttps: boolean;
  log: Logger;
}

/** Registers the hooks that run for every request. */
export function addHooks(
  fastify: FastifyInstance,
  inFlight: InFlightRequests,
  { isHttps, log }: HookOptions,
): void {
  inFlight.watch(fastify);
  fastify.addHook('onRequest', (request, reply, done) => {
    addHeaders(request, reply, isHttps);
    done();
  });
  fastify.addHook('preParsing', (request, _reply, _payload, done) => done(contentTypeFault(request)));
  fastify.addHook('onResponse', (request, reply, done) => {
    logAccess(log, request, reply);
    done();
  });
}

/**
 * Does the work of the hooks for a request that Fastify refuses before running them: its URL is malformed.
 */
export function applyHeadersAndAccessLog(
  request: FastifyRequest,
  reply: FastifyReply,
  { isHttps, log }: HookOptions,
): void {
  addHeaders(request, reply, isHttps);
  reply.raw.once('finish', () => logAccess(log, request, reply));
}

function addHeaders(request: FastifyRequest, reply: FastifyReply, isHttps: boolean): void {
  const path = pathOf(request.url);
  const headers = path === '/docs' || path.startsWith('/docs/') ? DOCS_HEADERS : HEADERS;
  void reply.headers(headers).header('x-request-id', request.id);
  if (isHttps) void reply.header('strict-transport-security', HSTS);
}

/** The API accepts JSON, the pages accept forms: no foreign page can post a form to the API. */
function contentTypeFault(request: FastifyRequest): Error | undefined {
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (!type || request.is404 || request.routeOptions.config.acceptsForms) return undefined;
  const refused = isForPage(request) ? 'application/json' : 'application/x-www-form-urlencoded';
  return type === refused ? new PlutoError('unsupportedContentType') : undefined;
}

/** One line per request, with the route's pattern instead of the URL, which may contain a token. */
function logAccess(log: Logger, request: FastifyRequest, reply: FastifyReply): void {
  log.info(
    {
      context: 'Http',
      requestId: request.id,
      method: request.method,
      route: request.routeOptions.url ?? '(none)',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
    },
    'request',
  );
}
