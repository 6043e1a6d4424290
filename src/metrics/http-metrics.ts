import type { ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Counter, Gauge, Histogram } from 'prom-client';
import { MetricsRegistry } from './metrics.registry.js';

const labelNames = ['method', 'route', 'status'] as const;
const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']);
/** Of requests whose caller was gone before the answer was. */
const ABORTED = 'aborted';

/** Counts and times requests, by the route's pattern: an address could be anything, and hold a token. */
@Injectable()
export class HttpMetrics {
  private readonly total: Counter<(typeof labelNames)[number]>;
  private readonly duration: Histogram<(typeof labelNames)[number]>;
  private readonly inFlight: Gauge;

  constructor({ registry }: MetricsRegistry, { httpAdapter }: HttpAdapterHost) {
    const registers = [registry];
    this.total = new Counter({
      name: 'pluto_http_requests_total',
      help: 'Requests answered, or given up by their caller (status "aborted").',
      labelNames,
      registers,
    });
    this.duration = new Histogram({
      name: 'pluto_http_request_duration_seconds',
      help: 'From the head of a request to the end of its answer.',
      labelNames,
      registers,
    });
    this.inFlight = new Gauge({
      name: 'pluto_http_requests_in_flight',
      help: 'Requests being answered.',
      registers,
    });
    // Commands open the application without a server.
    if (httpAdapter) this.watch(httpAdapter.getInstance<FastifyInstance>());
  }

  /** Fastify copies its hooks to a route's scope when that is made: this has to be there before the routes are. */
  private watch(fastify: FastifyInstance): void {
    fastify.addHook('onRequest', (request, reply, done) => {
      this.follow(request, reply.raw);
      done();
    });
  }

  private follow(request: FastifyRequest, response: ServerResponse): void {
    const began = performance.now();
    this.inFlight.inc();
    // Comes once, whether the answer ends or the connection does.
    response.once('close', () => {
      this.inFlight.dec();
      const labels = {
        method: knownMethods.has(request.method) ? request.method : 'other',
        route: request.routeOptions.url ?? '(none)',
        status: response.writableFinished ? String(response.statusCode) : ABORTED,
      };
      this.total.inc(labels);
      this.duration.observe(labels, (performance.now() - began) / 1000);
    });
  }
}
