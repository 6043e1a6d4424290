import { Injectable, Logger } from '@nestjs/common';
import { PlutoError } from '../../../common/errors.js';
import { Poller } from '../../../common/poller.js';
import { ApplicationsService } from '../../../applications/applications.service.js';
import { AppleGrantsService, type DueGrant } from './apple-grants.service.js';
import { AppleProvider } from './apple.provider.js';

const POLL_MS = 5000;

/**
 * Revokes the tokens of deleted accounts and unbound identities at Apple, and retries until Apple
 * acknowledges it: App Review requires this. Started by the server only, not by commands.
 */
@Injectable()
export class AppleRevocationWorker {
  private readonly logger = new Logger('Apple');
  private readonly poller = new Poller(
    () => this.revokeNext(),
    (error) => this.logger.error(error),
    { restMs: POLL_MS, lanes: 1 },
  );

  constructor(
    private readonly grants: AppleGrantsService,
    private readonly applications: ApplicationsService,
    private readonly apple: AppleProvider,
  ) {}

  start(): void {
    this.poller.start();
  }

  /** Resolves when the revocation in progress is settled. */
  stop(): Promise<void> {
    return this.poller.stop();
  }

  private async revokeNext(): Promise<boolean> {
    const grant = await this.grants.takeDue();
    if (grant) await this.revoke(grant);
    return grant !== null;
  }

  private async revoke(grant: DueGrant): Promise<void> {
    const { id: grantId, applicationId, attempts: attempt } = grant;
    if (await this.grants.isInUse(grant)) {
      await this.grants.settle(grant);
      this.logger.log({
        msg: 'consent not revoked at Apple: it was given again or is in use elsewhere',
        grantId,
      });
      return;
    }
    try {
      await this.apple.revoke(await this.applications.getById(applicationId), grant);
    } catch (error) {
      if (!(error instanceof PlutoError)) throw error;
      const reason = error.cause instanceof Error ? error.cause.message : error.message;
      await this.grants.noteFailure(grantId, reason);
      this.logger.warn({
        msg: 'consent not revoked at Apple, will retry',
        grantId,
        attempt,
        reason,
      });
      return;
    }
    await this.grants.settle(grant);
    this.logger.log({ msg: 'consent revoked at Apple', grantId, attempt });
  }
}
