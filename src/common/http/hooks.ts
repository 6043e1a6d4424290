import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import proxyAddr from '@fastify/proxy-addr';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Principal } from '../access.js';
import { PlutoError } from '../errors.js';
import { dropBody } from './ignored-body.js';
import { badRequest } from '../validation.pipe.js';
import { addressOf, isForPage, isProbe, pathOf } from './requests.js';
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
/** US-ASCII is a part of UTF-8. */
const FOREIGN_CHARSET = /;\s*charset\s*=(?!\s*"?(?:utf-?8|us-ascii)"?\s*(?:;|$))/i;
/** RFC 3986 section 3.2.2, without the comma, which would join two hosts. */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.~%!$&'()*+;=-]*)(?::\d*)?$/i;
/** Methods whose body Fastify does not read. */
const BODILESS = new Set(['GET', 'HEAD']);

/**
 * Chooses the id in the response and in every log line of a request: that of a trusted proxy if it is
 * well-formed, else a new one. Anybody else could write foreign ids into the audit trail.
 * @param trusted TRUST_PROXY
 */
export function requestIds(trusted: string[]): (request: IncomingMessage) => string {
  const isTrusted = proxyAddr.compile(trusted);
  return ({ headers, socket }) => {
    const given = headers['x-request-id'];
    const isGiven = typeof given === 'string' && /^[\w.-]{1,64}$/.test(given);
    return isGiven && isTrusted(socket.remoteAddress ?? '', 0) ? given : randomUUID();
  };
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
    done(hostFault(request));
  });
  fastify.addHook('preParsing', (request, reply, payload, done) => {
    const fault = requestFault(request, reply);
    if (fault || !dropsBody(request)) return done(fault);
    dropBody(request.raw, payload, request.routeOptions.bodyLimit).then(
      () => done(),
      (error: Error) => {
        void reply.header('connection', 'close');
        done(error);
      },
    );
  });
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

/** RFC 9112 section 3.2: Node's own answer to none would be empty, and of several it takes the first. */
function hostFault({ headers, raw }: FastifyRequest): Error | undefined {
  if (headers.host === undefined)
    return raw.httpVersion === '1.1' ? badRequest(['the header Host is required']) : undefined;
  if (!HOST.test(headers.host)) return badRequest(['the header Host must be a host, or a host and a port']);
  return countHosts(raw.rawHeaders) < 2 ? undefined : badRequest(['the header Host must not be repeated']);
}

/** @param rawHeaders names and values in turn, as received */
function countHosts(rawHeaders: string[]): number {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (name.length === 4 && name.toLowerCase() === 'host') count++;
  }
  return count;
}

/** What is wrong with a request before its body is read. */
function requestFault(request: FastifyRequest, reply: FastifyReply): Error | undefined {
  // Whatever the body is: an unknown path or method is reported as such.
  if (request.is404) return new PlutoError('pathNotFound');
  if (BODILESS.has(request.method) || dropsBody(request)) return undefined;
  return contentCodingFault(request, reply) ?? contentTypeFault(request);
}

function dropsBody({ method, routeOptions }: FastifyRequest): boolean {
  return routeOptions.config.hasNoBody === true && !BODILESS.has(method);
}

/** Compressed bodies are not read (RFC 9110 section 12.5.3 tells the client by `Accept-Encoding`). */
function contentCodingFault({ headers }: FastifyRequest, reply: FastifyReply): Error | undefined {
  const coding = headers['content-encoding']?.trim().toLowerCase() ?? '';
  if (coding === '' || coding === 'identity') return undefined;
  void reply.header('accept-encoding', 'identity');
  return new PlutoError('unsupportedContentType', {
    message: 'Unsupported content type: the body must not be compressed',
  });
}

/** The API accepts JSON, the pages accept forms: no foreign page can post a form to the API. */
function contentTypeFault(request: FastifyRequest): Error | undefined {
  const contentType = request.headers['content-type'];
  if (contentType && FOREIGN_CHARSET.test(contentType))
    return new PlutoError('unsupportedContentType', {
      message: 'Unsupported content type: the charset must be UTF-8',
    });
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  if (!type || request.routeOptions.config.acceptsForms) return undefined;
  const refused = isForPage(request) ? 'application/json' : 'application/x-www-form-urlencoded';
  return type === refused ? new PlutoError('unsupportedContentType') : undefined;
}

/**
 * One line per request, with the route's pattern instead of the URL, which may contain a token. Supervisors
 * and load balancers ask every few seconds, so their probes are logged for debugging only.
 */
function logAccess(log: Logger, request: FastifyRequest, reply: FastifyReply): void {
  const application = applicationOf(request);
  log[isProbe(request) ? 'debug' : 'info'](
    {
      context: 'Http',
      requestId: request.id,
      address: addressOf(request),
      ...(application !== undefined && { application }),
      method: request.method,
      route: request.routeOptions.url ?? '(none)',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
    },
    'request',
  );
}

/** The application of the access token, or the one that the body names to sign in or register. */
function applicationOf({ user, body }: FastifyRequest & { user?: Principal }): string | undefined {
  if (user) return user.applicationName;
  const named = (body as { app_id?: unknown } | null | undefined)?.app_id;
  return typeof named === 'string' && /^[\x20-\x7e]{1,100}$/.test(named) ? named : undefined;
}
