import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Settings } from '../config/settings.js';
import { LeaseLost, withFreeLease } from '../database/jobs/lease.js';
import { HousekeepingSteps, type HousekeepingStep } from './housekeeping-steps.js';

const LEASE = 'housekeeping';
const LEASE_SECONDS = 60;
/** Maximum delay between the start and the first round. */
const FIRST_ROUND_MS = 30_000;

/** Periodically removes expired data. A round may be interrupted; the next one continues. */
@Injectable()
export class Housekeeping {
  private readonly logger = new Logger('Housekeeping');
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private round: Promise<void> = Promise.resolve();

  constructor(
    private readonly dataSource: DataSource,
    private readonly settings: Settings,
    private readonly steps: HousekeepingSteps,
  ) {}

  start(): void {
    this.schedule(Math.min(FIRST_ROUND_MS, this.intervalMs) * Math.random());
  }

  /** Resolves when the current batch is done. */
  async stop(): Promise<void> {
    this.stopping.abort();
    clearTimeout(this.timer);
    await this.round;
  }

  /** @returns false if another instance holds the lease */
  async run(): Promise<boolean> {
    const stopping = this.stopping.signal;
    await this.take(this.steps.local, stopping);
    return withFreeLease(
      this.dataSource,
      LEASE,
      (leaseLost) => this.take(this.steps.shared, AbortSignal.any([leaseLost, stopping])),
      LEASE_SECONDS,
    );
  }

  private async take(steps: readonly HousekeepingStep[], signal: AbortSignal): Promise<void> {
    for (const { name: step, run } of steps) {
      if (signal.aborted) return;
      try {
        await run(signal);
      } catch (error) {
        if (!signal.aborted)
          this.logger.error({ msg: 'cleanup step failed, will be retried', step, err: error });
      }
    }
  }

  private schedule(delayMs: number): void {
    if (this.stopping.signal.aborted) return;
    this.timer = setTimeout(() => {
      this.round = this.runAndGoOn();
    }, delayMs);
  }

  private async runAndGoOn(): Promise<void> {
    try {
      await this.run();
    } catch (error) {
      if (error instanceof LeaseLost) this.logger.warn({ msg: 'cleanup was taken over by another instance' });
      else this.logger.error(error);
    }
    // Random, so that instances do not run at the same moment.
    this.schedule(this.intervalMs * (0.9 + 0.2 * Math.random()));
  }

  private get intervalMs(): number {
    return this.settings.upkeepIntervalSeconds * 1000;
  }
}
