import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { routeOption } from './route-options.js';

const NOTHING = JSON.stringify({ status: 'ok', body: {} });

/** Sends what the method returns as it is: pages, key sets, metrics. */
export const NoEnvelope = (): MethodDecorator => routeOption({ hasNoEnvelope: true });

/**
 * Wraps what API controllers return: `{"status":"ok","body":…}`, with `{}` for nothing. This is a hook of
 * Fastify: for an interceptor, Nest would lead each request through a chain of Observables, and
 * docs/performance.md says what that costs.
 */
export function addEnvelope(fastify: FastifyInstance): void {
  fastify.addHook('preSerialization', (request, reply, body, done) => {
    done(null, hasEnvelope(request, reply) ? { status: 'ok', body } : body);
  });
  fastify.addHook('onSend', (request, reply, payload, done) => {
    if (payload !== undefined || !hasEnvelope(request, reply)) return done(null, payload);
    void reply.type('application/json; charset=utf-8');
    done(null, NOTHING);
  });
}

/** Failures have an envelope of their own: see `errorEnvelope`. */
function hasEnvelope({ routeOptions }: FastifyRequest, { statusCode }: FastifyReply): boolean {
  return statusCode === 200 && routeOptions.config.hasNoEnvelope !== true;
}

/**
 * Sends the caller elsewhere, with 302.
 * @param url not logged: it may hold a token
 * @returns the empty body, for a controller to return
 */
export function redirect(reply: FastifyReply, url: string): '' {
  void reply.status(302).header('location', url);
  return '';
}
