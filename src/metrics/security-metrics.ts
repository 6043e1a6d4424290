import { Injectable } from '@nestjs/common';
import { Counter } from 'prom-client';
import { type SecurityEvent, SecurityEvents, type SecurityEventType } from '../events/security-events.js';
import { afterCommit } from '../database/transactions.js';
import { MetricsRegistry } from './metrics.registry.js';

/** Initialised to 0, because `increase()` misses the first event of a series that starts at 1. */
const seriesFromStart: SecurityEventType[] = [
  'account.registered',
  'account.deleted',
  'login.succeeded',
  'login.failed',
  'refresh.reused',
  'password.reset',
  'role.assigned',
  'client.created',
  'key.rotated',
  'key.activated',
];

/** Counts logins and other security events after their commit. */
@Injectable()
export class SecurityMetrics {
  private readonly events: Counter<'type'>;
  private readonly logins: Counter<'method' | 'result'>;

  constructor({ registry }: MetricsRegistry, securityEvents: SecurityEvents) {
    const registers = [registry];
    this.events = new Counter({
      name: 'pluto_security_events_total',
      help: 'Security events by type, as in the audit trail.',
      labelNames: ['type'],
      registers,
    });
    this.logins = new Counter({
      name: 'pluto_logins_total',
      help: 'Logins by method and result: "succeeded" or the reason of the refusal.',
      labelNames: ['method', 'result'],
      registers,
    });
    for (const type of seriesFromStart) this.events.inc({ type }, 0);
    for (const result of ['succeeded', 'credentials', 'unverified'])
      this.logins.inc({ method: 'password', result }, 0);
    securityEvents.subscribe((manager, event) => afterCommit(manager, () => this.count(event)));
  }

  private count(event: SecurityEvent): void {
    this.events.inc({ type: event.type });
    if (event.type === 'login.succeeded')
      this.logins.inc({ method: event.detail.method, result: 'succeeded' });
    if (event.type === 'login.failed')
      this.logins.inc({ method: event.detail.method, result: event.detail.reason });
  }
}
