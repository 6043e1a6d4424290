import { Injectable } from '@nestjs/common';

/** One cleanup of expired rows or files. */
export interface HousekeepingStep {
  /** The name in the log. */
  name: string;
  /** Deletes in batches; throws between two of them once the signal is aborted. */
  run: (signal: AbortSignal) => Promise<unknown>;
}

/** The steps of housekeeping, registered by the modules that own the data. */
@Injectable()
export class HousekeepingSteps {
  /** Steps on the database, run by one instance at a time. */
  readonly shared: HousekeepingStep[] = [];
  /** Steps on local files, run by every instance. */
  readonly local: HousekeepingStep[] = [];

  register(...steps: HousekeepingStep[]): void {
    this.shared.push(...steps);
  }

  registerLocal(...steps: HousekeepingStep[]): void {
    this.local.push(...steps);
  }
}
