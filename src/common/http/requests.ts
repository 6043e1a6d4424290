import type { FastifyRequest } from 'fastify';
import Negotiator from 'negotiator';

/** The path of a request's target, without the query. */
export function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end === -1 ? url : url.slice(0, end);
}

/** Whether an address is for people to look at rather than for the API. */
export function isPagePath(url: string): boolean {
  const path = pathOf(url);
  return path !== '/v1' && !path.startsWith('/v1/');
}

/** Whether the caller would rather have HTML than JSON; a caller who names no preference is a program. */
export function prefersHtml(request: FastifyRequest): boolean {
  const accept = request.headers.accept;
  if (!accept || accept === '*/*') return false;
  return new Negotiator(request).mediaType(['text/html', 'application/json']) === 'text/html';
}
