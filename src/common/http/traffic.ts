import { Injectable } from '@nestjs/common';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Server, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { atEndOfTurn } from '../end-of-turn.js';

/** For requests that were sent before their connection could be seen to end. */
const LAST_REQUESTS_MS = 200;
/** Whoever goes on sending does not keep the server from ending. */
const TURNS_MAX = 100;
/** Requests on one connection that are not answered yet; browsers and proxies send one at a time. */
const PIPELINED_MAX = 16;

/** How many requests of a connection are not answered yet. */
const UNANSWERED = Symbol('unanswered');
type CountedSocket = Socket & { [UNANSWERED]?: number };

/** The requests under way, and whether this process still wants more of them. */
@Injectable()
export class Traffic {
  /**
   * How many are not answered yet, by route and method. Not a set of requests: V8 makes a new table for each hundred that
   * come and go, and what an old one holds, a tenth of all requests, would outlive them until all memory is looked through.
   */
  private readonly unanswered = new Map<string, Map<string, number>>();
  private count = 0;
  private isEnding = false;
  private isClosed = false;

  /** Whether requests should be sent elsewhere. */
  get isLeaving(): boolean {
    return this.isEnding;
  }

  /** What is not answered yet, by method and route. */
  get underWay(): string[] {
    return [...this.unanswered].flatMap(([route, methods]) =>
      [...methods].flatMap(([method, count]) => Array.from({ length: count }, () => `${method} ${route}`)),
    );
  }

  /** From now on the probe says no, and each connection ends with its next response; all are answered. */
  leave(): void {
    this.isEnding = true;
  }

  /** Has each request noted, and connections ended when the server closes. */
  watch(fastify: FastifyInstance): void {
    fastify.addHook('onRequest', (request, reply, done) => {
      if (this.note(request, reply)) return done();
      // Not even answered: what came in one piece is all read by now, and each answer would be kept in memory.
      reply.hijack();
      request.raw.socket.destroy();
    });
    fastify.addHook('onSend', (request, reply, payload, done) => {
      const isLast = (request.raw.socket as CountedSocket)[UNANSWERED]! <= 1;
      if (this.isEnding && isLast) void reply.header('connection', 'close');
      // A file is given a listener at once, or its failure would find none.
      if (typeof payload !== 'string') return done(null, payload);
      // Answers of one turn go out together: to wake a client for each takes as long as all else (88 µs a request, not 53).
      atEndOfTurn(() => done(null, payload));
    });
    // Fastify goes on to close what is idle, which is also a connection whose request has arrived and is not read yet.
    fastify.addHook('preClose', async () => {
      this.leave();
      if (!fastify.server.listening) return;
      await this.readWhatHasArrived();
      Server.prototype.close.call(fastify.server);
      await sleep(LAST_REQUESTS_MS);
      await this.readWhatHasArrived();
      this.isClosed = true;
    });
  }

  /** Returns once the event loop has found no more requests: a busy one finds them long after they have arrived. */
  private async readWhatHasArrived(): Promise<void> {
    // The first turn may take a connection whose request is read in the second.
    for (let turns = 0, silent = 0; turns < TURNS_MAX && silent < 2; turns++) {
      const before = this.count;
      await nextTurn();
      silent = this.count === before ? silent + 1 : 0;
    }
  }

  /** @returns false for one request too many on a connection that does not wait for its answers */
  private note(request: FastifyRequest, { raw }: FastifyReply): boolean {
    const socket: CountedSocket = request.raw.socket;
    const unanswered = (socket[UNANSWERED] ?? 0) + 1;
    if (unanswered > PIPELINED_MAX || socket.destroyed) return false;
    socket[UNANSWERED] = unanswered;
    const methods = this.methodsOf(request.routeOptions.url ?? '(none)');
    const { method } = request;
    methods.set(method, (methods.get(method) ?? 0) + 1);
    this.count++;
    raw.once('close', () => {
      methods.set(method, methods.get(method)! - 1);
      const left = (socket[UNANSWERED] = socket[UNANSWERED]! - 1);
      // Answers that are ready at once take each other for the last one, and none has ended the connection.
      if (left === 0 && this.isClosed) socket.destroySoon();
    });
    return true;
  }

  private methodsOf(route: string): Map<string, number> {
    let methods = this.unanswered.get(route);
    if (!methods) this.unanswered.set(route, (methods = new Map<string, number>()));
    return methods;
  }
}
