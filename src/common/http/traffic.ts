import { Injectable } from '@nestjs/common';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** For requests that were sent before their connection could be seen to end. */
const LAST_REQUESTS_MS = 200;

/** The requests under way, and whether this process still wants more of them. */
@Injectable()
export class Traffic {
  private readonly requests = new Set<FastifyRequest>();
  private isEnding = false;

  /** Whether requests should be sent elsewhere. */
  get isLeaving(): boolean {
    return this.isEnding;
  }

  /** What is not answered yet, by method and route. */
  get underWay(): string[] {
    return [...this.requests].map(({ method, routeOptions }) => `${method} ${routeOptions.url ?? '(none)'}`);
  }

  /** From now on the probe says no, and each connection ends with its next response; all are answered. */
  leave(): void {
    this.isEnding = true;
  }

  /** Has each request noted, and connections ended when the server closes. */
  watch(fastify: FastifyInstance): void {
    fastify.addHook('onRequest', (request, reply, done) => {
      this.note(request, reply);
      done();
    });
    fastify.addHook('onSend', (_request, reply, payload, done) => {
      if (this.isEnding) void reply.header('connection', 'close');
      done(null, payload);
    });
    // Fastify goes on to close what is idle, which is also a connection whose request has arrived and is not read yet.
    fastify.addHook('preClose', async () => {
      this.leave();
      if (!fastify.server.listening) return;
      Server.prototype.close.call(fastify.server);
      await sleep(LAST_REQUESTS_MS);
    });
  }

  private note(request: FastifyRequest, { raw }: FastifyReply): void {
    this.requests.add(request);
    raw.once('close', () => this.requests.delete(request));
  }
}
