import fastifyCompress from '@fastify/compress';
import type { FastifyInstance, RouteOptions } from 'fastify';
import { routeOption } from './route-options.js';

/** Smaller answers would hardly shrink, and compressing them takes longer than sending them. */
const THRESHOLD_BYTES = 1024;

/** Not pages, nor pictures, which are compressed already. */
const COMPRESSED = ['/v1', '/docs', '/openapi.json', '/.well-known', '/web/assets', '/metrics'];

/** Leaves a route without compression: its answers are small and often asked for, or hold tokens. */
export const NotCompressed = (): MethodDecorator => routeOption({ isNotCompressed: true });

/**
 * Compresses larger answers of routes with GET: lists, documents and assets. Pages are not compressed, since
 * an attacker could find out their page tokens from the length (BREACH); nor is anything that issues tokens,
 * which is done by POST.
 */
export async function compressAnswers(fastify: FastifyInstance): Promise<void> {
  // Before the plugin sees the route: without `false` it adds a hook even to routes that it leaves alone.
  fastify.addHook('onRoute', (route) => {
    route.compress = isCompressed(route) ? {} : false;
  });
  await fastify.register(fastifyCompress, {
    encodings: ['br', 'gzip'],
    threshold: THRESHOLD_BYTES,
    globalDecompression: false,
  });
}

function isCompressed({ method, url, config }: RouteOptions): boolean {
  const isRead = [method].flat().every((one) => one === 'GET' || one === 'HEAD');
  if (!isRead || config?.isNotCompressed) return false;
  return COMPRESSED.some((path) => url === path || url.startsWith(`${path}/`));
}
