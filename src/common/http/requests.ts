import { isIP } from 'node:net';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import Negotiator from 'negotiator';

/** The caller's IP address; `''` where a proxy's header said something else. */
export function addressOf({ ip }: { ip: string }): string {
  // Without the zone of an IPv6 address, which is any text (RFC 4007 section 11.2).
  return isIP(ip) ? ip.replace(/%.*$/, '') : '';
}

/** The path of a request's target, without the query. */
export function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end === -1 ? url : url.slice(0, end);
}

/** Whether a request is for people to look at rather than for the API; by its route, however its address is written. */
export function isForPage(request: FastifyRequest): boolean {
  const path = routePathOf(request);
  return path !== '/v1' && !path.startsWith('/v1/');
}

/** The path of the request's route: of its pattern, however its address is written. */
export function routePathOf(request: FastifyRequest): string {
  const route = request.routeOptions.url;
  // A path without a route of its own, and the question that CORS asks before, are known by the address only.
  return request.is404 || route === undefined || route === '*' ? readablePath(request.url) : route;
}

/** The path as it is meant: of an absolute address too (RFC 9112 section 3.2.2), and decoded. */
function readablePath(url: string): string {
  const path = pathOf(url).replace(/^https?:\/\/[^/]*/i, '');
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Whether the caller would rather have HTML than JSON; a caller who names no preference is a program. */
export function prefersHtml(request: FastifyRequest): boolean {
  const accept = request.headers.accept;
  if (!accept || accept === '*/*') return false;
  return new Negotiator(request).mediaType(['text/html', 'application/json']) === 'text/html';
}

/** Whether nothing but the headers is asked for, as a controller's parameter: Fastify answers HEAD wherever it does GET. */
export const IsHead = createParamDecorator(
  (_: unknown, context: ExecutionContext): boolean =>
    context.switchToHttp().getRequest<FastifyRequest>().method === 'HEAD',
);

/** Whether the caller would rather have HTML, as a controller's parameter. */
export const PrefersHtml = createParamDecorator((_: unknown, context: ExecutionContext): boolean =>
  prefersHtml(context.switchToHttp().getRequest<FastifyRequest>()),
);

/** Whether the caller asks for JSON by name; one without a preference on a page is a browser of some kind. */
export const AsksForJson = createParamDecorator((_: unknown, context: ExecutionContext): boolean => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  return /json/i.test(request.headers.accept ?? '') && !prefersHtml(request);
});
