import { FastifyAdapter, RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyReply } from 'fastify';
import { Redirection } from '../redirection.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    isBare?: boolean;
  }
}

/** Sends what the method returns as it is: pages, key sets, metrics. */
export const Bare = (): MethodDecorator => RouteConfig({ isBare: true });

/**
 * What Nest awaits once it has replied. Nothing is done after that, so nobody need be told when the answer has gone out;
 * a reply that is awaited itself listens to the end of its stream (5 % of the time of the public key).
 */
const NEVER_SETTLED = { then: () => undefined } as unknown as FastifyReply;

/**
 * Wraps what API controllers return: `{"status":"ok","body":…}`, with `{}` where there is nothing to say. It is done
 * here because an interceptor, by its observables, takes a quarter of the time of a simple request.
 */
export class EnvelopeAdapter extends FastifyAdapter {
  override reply(reply: FastifyReply, body: unknown, status?: number): FastifyReply {
    if (body instanceof Redirection) super.reply(reply.header('location', body.url), '', 302);
    else {
      const { isBare } = reply.routeOptions.config;
      super.reply(reply, isBare ? body : { status: 'ok', body: body ?? {} }, status);
    }
    return NEVER_SETTLED;
  }
}
