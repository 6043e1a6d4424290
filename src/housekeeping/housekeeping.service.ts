import { Injectable, Logger } from '@nestjs/common';
import { OneTimeTokensService } from '../auth/one-time-tokens.service.js';
import { RegistrationService } from '../auth/registration.service.js';
import { WechatWebLoginService } from '../auth/wechat-web-login.service.js';
import { nowSeconds } from '../common/time.js';
import { MailFilesService } from '../mail/mail-files.service.js';
import { OutboxService } from '../mail/outbox.service.js';
import { AuthorizationCodesService } from '../oauth/authorization-codes.service.js';
import { PageSessionsService } from '../token/page-sessions.service.js';
import { SessionsService } from '../token/sessions.service.js';
import { KeyRotationService } from '../token/key-rotation.service.js';
import { AccountsService } from '../users/accounts.service.js';
import { AvatarsService } from '../users/avatars.service.js';

const INTERVAL_MS = 60 * 60 * 1000;
/** How long a mail that was given up stays visible after its link has expired. */
const FAILED_MAIL_RETENTION_SECONDS = 30 * 24 * 60 * 60;

/** Removes what has expired, hourly. Each step may run on several instances at once, and be cut short. */
@Injectable()
export class Housekeeping {
  private readonly logger = new Logger('Housekeeping');
  private timer: NodeJS.Timeout | null = null;
  private round: Promise<void> = Promise.resolve();

  constructor(
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
  ) {}

  start(): void {
    this.timer = setInterval(() => this.begin(), INTERVAL_MS);
    this.begin();
  }

  async stop(): Promise<void> {
    if (this.timer) clearInterval(this.timer);
    await this.round;
  }

  async run(): Promise<void> {
    const steps = [
      () => this.registrations.purgeAbandoned(),
      () => this.tokens.purgeExpired(),
      () => this.wechatWebLogins.purgeExpired(),
      () => this.codes.purgeExpired(),
      () => this.pageSessions.purgeExpired(),
      () => this.sessions.purgeExpired(),
      () => this.keys.purgeRetired(),
      () => this.outbox.purgeFailedBefore(nowSeconds() - FAILED_MAIL_RETENTION_SECONDS),
      () => this.avatars.sweep(),
      () => this.removeOrphanedMailFiles(),
    ];
    for (const step of steps) {
      try {
        await step();
      } catch (error) {
        this.logger.error(error);
      }
    }
  }

  /** Mails of accounts that went while their mail was being written, or of which a crash spared the files. */
  private async removeOrphanedMailFiles(): Promise<void> {
    await this.mailFiles.removeOf(await this.accounts.missing(await this.mailFiles.userIds()));
  }

  private begin(): void {
    this.round = this.run();
  }
}
