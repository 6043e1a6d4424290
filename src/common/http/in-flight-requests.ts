import type { Socket } from 'node:net';
import { Injectable } from '@nestjs/common';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Maximum unanswered requests per connection; browsers and proxies send one at a time. */
const PIPELINED_MAX = 16;

/** The requests in progress, and whether this process still wants new ones. */
@Injectable()
export class InFlightRequests {
  private readonly requests = new Set<FastifyRequest>();
  private readonly unansweredOn = new WeakMap<Socket, number>();
  private draining = false;

  /** Whether requests should be sent elsewhere. */
  get isDraining(): boolean {
    return this.draining;
  }

  /** Method and route of each request in progress. */
  describe(): string[] {
    return [...this.requests].map(({ method, routeOptions }) => `${method} ${routeOptions.url ?? '(none)'}`);
  }

  /**
   * From now on readiness fails and each connection closes after its next response. Requests are still
   * answered.
   */
  drain(): void {
    this.draining = true;
  }

  /** Starts tracking requests; closing the server drains them. */
  watch(fastify: FastifyInstance): void {
    fastify.addHook('onRequest', (request, reply, done) => {
      if (this.admit(request, reply)) return done();
      // Not even answered: what came in one piece is all read by now, and each answer would be kept in
      // memory.
      reply.hijack();
      request.raw.socket.destroy();
    });
    fastify.addHook('onSend', (request, reply, payload, done) => {
      const isLast = (this.unansweredOn.get(request.raw.socket) ?? 0) <= 1;
      if (this.draining && isLast) void reply.header('connection', 'close');
      done(null, payload);
    });
    fastify.addHook('preClose', (done) => {
      this.drain();
      // Node closes connections whose request has arrived and is not read yet: this turn of the event loop
      // reads it.
      setImmediate(done);
    });
  }

  /** @returns false for one request too many on a connection that does not wait for its answers */
  private admit(request: FastifyRequest, { raw }: FastifyReply): boolean {
    const { socket } = request.raw;
    const unanswered = this.unansweredOn.get(socket) ?? 0;
    if (unanswered >= PIPELINED_MAX || socket.destroyed) return false;
    this.unansweredOn.set(socket, unanswered + 1);
    this.requests.add(request);
    raw.once('close', () => this.settle(request, socket));
    return true;
  }

  private settle(request: FastifyRequest, socket: Socket): void {
    this.requests.delete(request);
    const left = (this.unansweredOn.get(socket) ?? 1) - 1;
    this.unansweredOn.set(socket, left);
    // Pipelined answers that are ready together do not know which of them is the last: none has ended the
    // connection.
    if (left === 0 && this.draining) socket.destroySoon();
  }
}
