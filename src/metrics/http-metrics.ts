import type { ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Counter, Gauge, Histogram } from 'prom-client';
import { MetricsRegistry } from './metrics.registry.js';

const labelNames = ['method', 'route', 'status'] as const;
const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']);
/** Status of requests whose client disconnected before the response was sent. */
const ABORTED = 'aborted';

/** Counts and times requests by route pattern: URLs are unbounded and may contain tokens. */
@Injectable()
export class HttpMetrics {
  private readonly total: Counter<(typeof labelNames)[number]>;
  private readonly duration: Histogram<(typeof labelNames)[number]>;
  private readonly inFlight: Gauge;

  constructor({ registry }: MetricsRegistry, { httpAdapter }: HttpAdapterHost) {
    const registers = [registry];
    this.total = new Counter({
      name: 'pluto_http_requests_total',
      help: 'Requests answered, or aborted by the client (status "aborted").',
      labelNames,
      registers,
    });
    this.duration = new Histogram({
      name: 'pluto_http_request_duration_seconds',
      help: 'Time from the request headers to the end of the response.',
      labelNames,
      registers,
    });
    this.inFlight = new Gauge({
      name: 'pluto_http_requests_in_flight',
      help: 'Requests in progress.',
      registers,
    });
    // Commands open the application without a server.
    if (httpAdapter) this.watch(httpAdapter.getInstance<FastifyInstance>());
  }

  /** Fastify copies hooks when a route is registered, so this must run before the routes are. */
  private watch(fastify: FastifyInstance): void {
    fastify.addHook('onRequest', (request, reply, done) => {
      this.follow(request, reply.raw);
      done();
    });
  }

  private follow(request: FastifyRequest, response: ServerResponse): void {
    const began = performance.now();
    this.inFlight.inc();
    // Emitted once, whether the response or the connection ends.
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
