import { Injectable } from '@nestjs/common';
import { Gauge, Histogram } from 'prom-client';
import { PasswordHasher } from '../auth/password/password-hasher.service.js';
import { MetricsRegistry } from './metrics.registry.js';

/** Tells how busy the hashing of passwords is: what a flood of logins fills first. */
@Injectable()
export class HashMetrics {
  constructor(metrics: MetricsRegistry, hasher: PasswordHasher) {
    const registers = [metrics.registry];
    const queue = new Gauge({
      name: 'pluto_password_hash_queue',
      help: 'Password hashes being computed ("running") or waiting for their turn ("waiting").',
      labelNames: ['state'],
      registers,
    });
    const limit = new Gauge({
      name: 'pluto_password_hash_queue_limit',
      help: 'How many may be running or waiting before the next is refused with 503.',
      labelNames: ['state'],
      registers,
    });
    const duration = new Histogram({
      name: 'pluto_password_hash_duration_seconds',
      help: 'Time that one password hash took to compute, without its wait.',
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers,
    });
    hasher.onHashed((seconds) => duration.observe(seconds));
    metrics.onScrape(() => {
      const { running, waiting, runningMax, waitingMax } = hasher.load();
      queue.set({ state: 'running' }, running);
      queue.set({ state: 'waiting' }, waiting);
      limit.set({ state: 'running' }, runningMax);
      limit.set({ state: 'waiting' }, waitingMax);
    });
  }
}
