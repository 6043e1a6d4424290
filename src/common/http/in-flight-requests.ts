import type { Socket } from 'node:net';
import { Injectable } from '@nestjs/common';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Requests on one connection that are not answered yet; browsers and proxies send one at a time. */
const PIPELINED_MAX = 16;

/** The requests that are not answered yet, and whether this process still wants more of them. */
@Injectable()
export class InFlightRequests {
  private readonly requests = new Set<FastifyRequest>();
  private readonly unansweredOn = new WeakMap<Socket, number>();
  private draining = false;

  /** Whether requests should be sent elsewhere. */
  get isDraining(): boolean {
    return this.draining;
  }

  /** Method and route of each. */
  describe(): string[] {
    return [...this.requests].map(({ method, routeOptions }) => `${method} ${routeOptions.url ?? '(none)'}`);
  }

  /** From now on the probe fails, and each connection ends with its next response. Requests are still answered. */
  drain(): void {
    this.draining = true;
  }

  /** Notes each request from here on; closing the server drains it. */
  watch(fastify: FastifyInstance): void {
    fastify.addHook('onRequest', (request, reply, done) => {
      if (this.admit(request, reply)) return done();
      // Not even answered: what came in one piece is all read by now, and each answer would be kept in memory.
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
      // Node closes connections whose request has arrived and is not read yet: this turn of the event loop reads it.
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
    // Pipelined answers that are ready together do not know which of them is the last: none has ended the connection.
    if (left === 0 && this.draining) socket.destroySoon();
  }
}
