import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { routePathOf } from './requests.js';

const PUBLIC_DOCUMENTS = ['/v1/token/publickey', '/openapi.json'];
const WELL_KNOWN = '/.well-known/';

/** What scripts of other origins may read of a response. */
export const EXPOSED_HEADERS = ['x-request-id', 'retry-after', 'etag'];

/** Whether a path is that of a document readable from any origin: keys and server metadata. */
export function isPublicDocumentPath(path: string): boolean {
  return PUBLIC_DOCUMENTS.includes(path) || path.startsWith(WELL_KNOWN);
}

function isPublicDocument(request: FastifyRequest): boolean {
  return isPublicDocumentPath(routePathOf(request));
}

/**
 * Makes public documents readable from any origin and cacheable, with an ETag. Unless its route sets
 * `Cache-Control`, a document must be revalidated each time: for example the public key, since an old copy
 * would refuse new tokens.
 * @see RFC 9110 section 13.1.2; RFC 9111 section 5.2.2.4
 */
export function letPublicDocumentsBeKept(fastify: FastifyInstance): void {
  fastify.addHook('onSend', (request, reply, payload, done) => {
    if (!isPublicDocument(request)) return done(null, payload);
    // Reading them takes no preflight request: the browser itself asks by their ETag.
    void reply
      .header('access-control-allow-origin', '*')
      .header('access-control-expose-headers', EXPOSED_HEADERS.join(', '));
    if (typeof payload !== 'string' || reply.statusCode !== 200) return done(null, payload);
    // Weak, since the compressed answer has the same (RFC 9110 section 8.8.1).
    const etag = `W/"${createHash('sha256').update(payload).digest('base64url')}"`;
    void reply.header('etag', etag);
    if (reply.getHeader('cache-control') === 'no-store')
      void reply.header('cache-control', 'public, no-cache');
    if (!isKnown(request, etag)) return done(null, payload);
    void reply.status(304).removeHeader('content-type').removeHeader('content-length');
    // Fastify measures the body of every response to HEAD, and does not send it.
    done(null, request.method === 'HEAD' ? payload : null);
  });
}

function isKnown({ headers }: FastifyRequest, etag: string): boolean {
  const known = headers['if-none-match']?.split(',').map((one) => one.trim().replace(/^W\//, '')) ?? [];
  return known.includes(etag.replace(/^W\//, '')) || known.includes('*');
}
