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

const JSON_TYPE = 'application/json; charset=utf-8';

/** What bodies that cannot change any more are written as: to write the public key takes as long as to send it. */
const frozenTexts = new WeakMap<object, string>();

/**
 * Wraps what API controllers return: `{"status":"ok","body":…}`, with `{}` where there is nothing to say. It is done
 * here because an interceptor, by its observables, takes a quarter of the time of a simple request.
 */
export class EnvelopeAdapter extends FastifyAdapter {
  override reply(reply: FastifyReply, body: unknown, status?: number): FastifyReply {
    if (body instanceof Redirection) super.reply(reply.header('location', body.url), '', 302);
    else if (reply.routeOptions.config.isBare) super.reply(reply, body, status);
    else {
      if (status !== undefined) void reply.status(status);
      void reply.type(JSON_TYPE).send(envelopeOf(body ?? {}));
    }
    return NEVER_SETTLED;
  }
}

/** @param body where it is frozen, what it holds does not change either */
function envelopeOf(body: unknown): string {
  if (typeof body !== 'object' || body === null || !Object.isFrozen(body)) return wrap(body);
  let text = frozenTexts.get(body);
  if (text === undefined) frozenTexts.set(body, (text = wrap(body)));
  return text;
}

function wrap(body: unknown): string {
  return `{"status":"ok","body":${JSON.stringify(body)}}`;
}
