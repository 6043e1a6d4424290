import { isIP } from 'node:net';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import Negotiator from 'negotiator';

/** The caller's IP address; `''` if a proxy's header contains something else. */
export function addressOf({ ip }: { ip: string }): string {
  // Without the zone of an IPv6 address, which may be any text (RFC 4007 section 11.2).
  return isIP(ip) ? ip.replace(/%.*$/, '') : '';
}

/** The path of a request's target, without the query. */
export function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end === -1 ? url : url.slice(0, end);
}

/**
 * The target with each run of slashes in its path as one: clients join a base URL that ends in a slash to a
 * path that begins with one. Encoded slashes are data (RFC 3986 section 2.2).
 */
export function withoutEmptySegments(url: string): string {
  if (!url.includes('//')) return url;
  const path = pathOf(url);
  const [origin] = /^https?:\/\/[^/]*/i.exec(path) ?? [''];
  return origin + path.slice(origin.length).replace(/\/{2,}/g, '/') + url.slice(path.length);
}

/** Whether a request is for a page rather than for the API; by its route, however the URL is spelled. */
export function isForPage(request: FastifyRequest): boolean {
  const path = routePathOf(request);
  return path !== '/v1' && !path.startsWith('/v1/');
}

const PROBES = new Set(['/health/live', '/health/ready', '/v1/healthcheck', '/metrics']);

/** Whether a supervisor, a load balancer or Prometheus asks for the state of the server. */
export function isProbe({ routeOptions }: FastifyRequest): boolean {
  return PROBES.has(routeOptions.url ?? '');
}

/** The path of the request's route pattern, however the URL is spelled. */
export function routePathOf(request: FastifyRequest): string {
  const route = request.routeOptions.url;
  // An unknown path and a CORS preflight have no route; only the URL identifies them.
  return request.is404 || route === undefined || route === '*' ? readablePath(request.url) : route;
}

/** The decoded path, also of an absolute-form target (RFC 9112 section 3.2.2). */
function readablePath(url: string): string {
  const path = pathOf(url).replace(/^https?:\/\/[^/]*/i, '');
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/**
 * Whether the caller prefers HTML to JSON. It decides between page and JSON for every error and every result
 * of a form; a caller without preference, such as curl, is taken for a program.
 */
export function prefersHtml(request: FastifyRequest): boolean {
  const accept = request.headers.accept;
  if (!accept || accept === '*/*') return false;
  return new Negotiator(request).mediaType(['text/html', 'application/json']) === 'text/html';
}

/**
 * Whether the request is HEAD, as a controller's parameter: Fastify adds a HEAD route for every GET route.
 */
export const IsHead = createParamDecorator(
  (_: unknown, context: ExecutionContext): boolean =>
    context.switchToHttp().getRequest<FastifyRequest>().method === 'HEAD',
);

/** Whether the caller prefers HTML, as a controller's parameter. */
export const PrefersHtml = createParamDecorator((_: unknown, context: ExecutionContext): boolean =>
  prefersHtml(context.switchToHttp().getRequest<FastifyRequest>()),
);

/** Whether the caller names JSON, to get it instead of a redirect. */
export const AsksForJson = createParamDecorator((_: unknown, context: ExecutionContext): boolean => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  return namesJson(request) && !prefersHtml(request);
});

export function namesJson({ headers }: FastifyRequest): boolean {
  return /json/i.test(headers.accept ?? '');
}
