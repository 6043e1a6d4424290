import { Injectable } from '@nestjs/common';
import { Gauge, Histogram } from 'prom-client';
import { PasswordHasher } from '../auth/password/password-hasher.service.js';
import { MetricsRegistry } from './metrics.registry.js';

/** The load of password hashing, which a flood of logins saturates first. */
@Injectable()
export class HashMetrics {
  constructor(metrics: MetricsRegistry, hasher: PasswordHasher) {
    const registers = [metrics.registry];
    const queue = new Gauge({
      name: 'pluto_password_hash_queue',
      help: 'Password hashes being computed ("running") or queued ("waiting").',
      labelNames: ['state'],
      registers,
    });
    const limit = new Gauge({
      name: 'pluto_password_hash_queue_limit',
      help: 'Maximum running and waiting hashes; further ones are refused with 503.',
      labelNames: ['state'],
      registers,
    });
    const duration = new Histogram({
      name: 'pluto_password_hash_duration_seconds',
      help: 'Duration of one password hash, without the time in the queue.',
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
