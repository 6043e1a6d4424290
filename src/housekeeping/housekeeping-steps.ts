import { Injectable } from '@nestjs/common';

/** One kind of thing to remove when it has expired. */
export interface HousekeepingStep {
  /** What the log calls it. */
  name: string;
  /** Throws, when the signal is aborted, between two batches of what it deletes. */
  run: (signal: AbortSignal) => Promise<unknown>;
}

/** What housekeeping does, as the modules that own it have registered it. */
@Injectable()
export class HousekeepingSteps {
  /** Of the database: by one instance at a time. */
  readonly shared: HousekeepingStep[] = [];
  /** Of the folders, which each machine may have its own of: by every instance. */
  readonly local: HousekeepingStep[] = [];

  register(...steps: HousekeepingStep[]): void {
    this.shared.push(...steps);
  }

  registerLocal(...steps: HousekeepingStep[]): void {
    this.local.push(...steps);
  }
}
