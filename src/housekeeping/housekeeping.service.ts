import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AuditTrailService } from '../audit/audit-trail.service.js';
import { KnownDevicesService } from '../auth/known-devices.service.js';
import { OneTimeTokensService } from '../auth/one-time-tokens.service.js';
import { RegistrationService } from '../auth/registration.service.js';
import { WechatWebLoginService } from '../auth/wechat-web-login.service.js';
import { Settings } from '../config/settings.js';
import { LeaseLost, withFreeLease } from '../database/lease.js';
import { MailFilesService } from '../mail/mail-files.service.js';
import { OutboxService } from '../mail/outbox.service.js';
import { AuthorizationCodesService } from '../oauth/authorization-codes.service.js';
import { KeyRotationService } from '../token/key-rotation.service.js';
import { PageSessionsService } from '../token/page-sessions.service.js';
import { SessionsService } from '../token/sessions.service.js';
import { AccountsService } from '../users/accounts.service.js';
import { AvatarsService } from '../users/avatars.service.js';

const LEASE = 'housekeeping';
const LEASE_SECONDS = 60;
/** The first round follows the start by this at most. */
const FIRST_ROUND_MS = 30_000;

/** Throws, when the signal says so, between two batches of what it deletes. */
type Step = (signal: AbortSignal) => Promise<unknown>;

/** Removes what has expired, now and then. A round may be cut short: the next one goes on. */
@Injectable()
export class Housekeeping {
  private readonly logger = new Logger('Housekeeping');
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private round: Promise<void> = Promise.resolve();

  /** Of the database: by one instance at a time. */
  private readonly sharedSteps: Record<string, Step> = {
    'unconfirmed mails': (signal) => this.registrations.purgeAbandoned(signal),
    'mailed links': (signal) => this.tokens.purgeExpired(signal),
    'states of sign-ins': (signal) => this.wechatWebLogins.purgeExpired(signal),
    'authorization codes': (signal) => this.codes.purgeExpired(signal),
    'browser sessions': (signal) => this.pageSessions.purgeExpired(signal),
    sessions: (signal) => this.sessions.purgeExpired(signal),
    'signing keys': (signal) => this.keys.purgeRetired(signal),
    'known devices': (signal) => this.knownDevices.purgeExpired(signal),
    'audit events': (signal) => this.audit.purgeExpired(signal),
    'given-up mails': (signal) => this.outbox.purgeGivenUp(signal),
  };

  /** Of the folders, which each machine may have its own of. */
  private readonly ownSteps: Record<string, Step> = {
    avatars: () => this.avatars.sweep(),
    'mail files': () => this.removeOrphanedMailFiles(),
  };

  constructor(
    private readonly dataSource: DataSource,
    private readonly settings: Settings,
    private readonly registrations: RegistrationService,
    private readonly tokens: OneTimeTokensService,
    private readonly sessions: SessionsService,
    private readonly pageSessions: PageSessionsService,
    private readonly codes: AuthorizationCodesService,
    private readonly keys: KeyRotationService,
    private readonly outbox: OutboxService,
    private readonly avatars: AvatarsService,
    private readonly mailFiles: MailFilesService,
    private readonly accounts: AccountsService,
    private readonly wechatWebLogins: WechatWebLoginService,
    private readonly knownDevices: KnownDevicesService,
    private readonly audit: AuditTrailService,
  ) {}

  start(): void {
    this.schedule(Math.min(FIRST_ROUND_MS, this.intervalMs) * Math.random());
  }

  /** Returns when the batch under way is done. */
  async stop(): Promise<void> {
    this.stopping.abort();
    clearTimeout(this.timer);
    await this.round;
  }

  /** @returns whether no other instance was at it */
  async run(): Promise<boolean> {
    const stopping = this.stopping.signal;
    await this.take(this.ownSteps, stopping);
    return withFreeLease(
      this.dataSource,
      LEASE,
      (leaseLost) => this.take(this.sharedSteps, AbortSignal.any([leaseLost, stopping])),
      LEASE_SECONDS,
    );
  }

  private async take(steps: Record<string, Step>, signal: AbortSignal): Promise<void> {
    for (const [step, work] of Object.entries(steps)) {
      if (signal.aborted) return;
      try {
        await work(signal);
      } catch (error) {
        if (!signal.aborted)
          this.logger.error({ msg: 'upkeep failed, will be tried again', step, err: error });
      }
    }
  }

  /** Mails of accounts that went while their mail was being written, or of which a crash spared the files. */
  private async removeOrphanedMailFiles(): Promise<void> {
    await this.mailFiles.removeOf(await this.accounts.missing(await this.mailFiles.userIds()));
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
      if (error instanceof LeaseLost) this.logger.warn({ msg: 'upkeep was left to another instance' });
      else this.logger.error(error);
    }
    // Not all instances at the same moment.
    this.schedule(this.intervalMs * (0.9 + 0.2 * Math.random()));
  }

  private get intervalMs(): number {
    return this.settings.upkeepIntervalSeconds * 1000;
  }
}
