import { Injectable } from '@nestjs/common';
import { Gauge } from 'prom-client';
import { AppleGrantsService } from '../auth/providers/apple/apple-grants.service.js';
import { nowSeconds } from '../common/time.js';
import { OutboxService, type OutboxDepth } from '../mail/outbox.service.js';
import { KeyRotationService, type KeyListing } from '../token/key-rotation.service.js';
import { CachedReading } from './cached-reading.js';
import { MetricsRegistry } from './metrics.registry.js';

interface Waiting {
  outbox: OutboxDepth;
  unrevoked: number;
  keys: KeyListing[];
}

const TIMES = { maxAgeMs: 5000, timeoutMs: 2000 };
const keyStates = ['next', 'signing', 'verifying', 'retired'] as const;

/** Gauges of queued work. If the database is unreachable, only `pluto_database_up 0` is exported. */
@Injectable()
export class DatabaseMetrics {
  private readonly waiting = new CachedReading(() => this.read(), TIMES);
  private readonly up: Gauge;
  private readonly mails: Gauge;
  private readonly oldestMail: Gauge;
  private readonly revocations: Gauge;
  private readonly keys: Gauge;
  private readonly keyAge: Gauge;

  constructor(
    metrics: MetricsRegistry,
    private readonly outbox: OutboxService,
    private readonly appleGrants: AppleGrantsService,
    private readonly keyRotation: KeyRotationService,
  ) {
    const gauge = (name: string, help: string, labelNames: string[] = []) =>
      new Gauge({ name, help, labelNames, registers: [metrics.registry] });
    this.up = gauge('pluto_database_up', 'Whether the database answers within two seconds.');
    this.mails = gauge('pluto_outbox_mails', 'Mails by state: queued, or failed permanently.', ['state']);
    this.oldestMail = gauge(
      'pluto_outbox_oldest_queued_seconds',
      'Age of the oldest queued mail; 0 without one.',
    );
    this.revocations = gauge('pluto_apple_revocations_waiting', 'Apple consents still to be revoked.');
    this.keys = gauge('pluto_signing_keys', 'Signing keys by state.', ['state']);
    this.keyAge = gauge(
      'pluto_signing_key_age_seconds',
      'Age of the current signing key since its first use.',
    );
    metrics.onScrape(async () => this.update(await this.waiting.get()));
  }

  private async read(): Promise<Waiting> {
    return {
      outbox: await this.outbox.depth(),
      unrevoked: await this.appleGrants.countUnrevoked(),
      keys: await this.keyRotation.list(),
    };
  }

  private update(waiting: Waiting | null): void {
    this.up.set(waiting ? 1 : 0);
    // Zeros would look as if all were well.
    for (const gauge of [this.mails, this.keys]) gauge.reset();
    for (const gauge of [this.oldestMail, this.revocations, this.keyAge]) gauge.remove();
    if (!waiting) return;
    const { outbox, unrevoked, keys } = waiting;
    const now = nowSeconds();
    this.mails.set({ state: 'queued' }, outbox.queued);
    this.mails.set({ state: 'failed' }, outbox.failed);
    this.oldestMail.set(outbox.oldestQueuedAt === null ? 0 : Math.max(0, now - outbox.oldestQueuedAt));
    this.revocations.set(unrevoked);
    for (const state of keyStates) this.keys.set({ state }, keys.filter((key) => key.state === state).length);
    const signing = keys.find(({ state }) => state === 'signing');
    if (signing) this.keyAge.set(Math.max(0, now - signing.signsFrom));
  }
}
