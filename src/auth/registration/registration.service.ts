import { createHmac } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../../common/caller.js';
import { PlutoError } from '../../common/errors.js';
import { mailKey } from '../../common/mail-addresses.js';
import { nowSeconds } from '../../common/time.js';
import { SecretKey } from '../../config/secret-key.js';
import { Settings } from '../../config/settings.js';
import { SecurityEvents } from '../../events/security-events.js';
import { Transactions } from '../../database/transactions.js';
import type { Application } from '../../applications/application.entity.js';
import { ApplicationsService } from '../../applications/applications.service.js';
import { MailIdentitiesService, type NewMailAccount } from '../../users/mail-identities.service.js';
import { PendingMailsService } from '../../users/pending-mails.service.js';
import { assertHardToGuess } from '../password/password-rules.js';
import { LinkMailsService } from '../links/link-mails.service.js';
import { MailLimitsService } from '../links/mail-limits.service.js';
import { PasswordHasher } from '../password/password-hasher.service.js';

export interface Registration {
  applicationName: string;
  mail: string;
  handle: string;
  name: string;
  password: string;
}

type NewRegistration = NewMailAccount & { passwordHash: string };

const SALT_BYTES = 16;

/** Registers accounts by mail. */
@Injectable()
export class RegistrationService {
  private readonly logger = new Logger('Accounts');
  private readonly saltKey: Buffer;

  constructor(
    private readonly transactions: Transactions,
    private readonly applications: ApplicationsService,
    private readonly mails: MailIdentitiesService,
    private readonly pending: PendingMailsService,
    private readonly passwords: PasswordHasher,
    private readonly linkMails: LinkMailsService,
    private readonly mailLimits: MailLimitsService,
    private readonly events: SecurityEvents,
    private readonly settings: Settings,
    secretKey: SecretKey,
  ) {
    this.saltKey = secretKey.derive('registration-salt');
  }

  /**
   * Registers an account and queues the mail whose link confirms it, unless SKIP_REGISTER_VERIFY_MAIL is set.
   * The registration is pending for the lifetime of the link, next to others of the same mail. The same one
   * again, with the same password, sends another link.
   * @throws PlutoError badRequest for an easy password | applicationNotExist | mailAlreadyRegistered |
   *   userIdExists | tooManyRequests
   */
  async register(registration: Registration, caller: Caller): Promise<{ mail: string; isVerified: boolean }> {
    const { applicationName, mail, handle, name, password } = registration;
    assertHardToGuess(password, [mail, handle, name, applicationName]);
    const application = await this.applications.getByName(applicationName);
    const applicationId = application.id;
    if (await this.mails.find(applicationId, mail)) throw new PlutoError('mailAlreadyRegistered');

    const isVerified = this.settings.skipRegisterVerifyMail;
    const create = async () => {
      const passwordHash = await this.passwords.hash(password, this.saltOf(applicationId, mail));
      const account = { applicationId, mail, handle, name, passwordHash };
      await this.transactions.runFor(caller, (manager) =>
        isVerified
          ? this.addAccount(manager, account)
          : this.addPending(manager, account, application, caller),
      );
    };
    if (isVerified) await create();
    else await this.mailLimits.whileLeft('verify-mail', { applicationId, mail, caller }, create);
    return { mail, isVerified };
  }

  /** Deletes expired pending mails, and accounts without another identity. */
  async purgeAbandoned(signal: AbortSignal): Promise<void> {
    const now = nowSeconds();
    for await (const identity of this.pending.findExpired(now)) {
      signal.throwIfAborted();
      const isDeleted = await this.transactions.runFor(null, (manager) =>
        this.pending.end(manager, identity, now),
      );
      if (isDeleted) this.logger.log({ msg: 'unconfirmed mail deleted', userId: identity.userId });
    }
  }

  private async addAccount(manager: EntityManager, account: NewRegistration): Promise<void> {
    const { user } = await this.mails.createAccount(manager, account);
    await this.publish(manager, user);
  }

  private async addPending(
    manager: EntityManager,
    registration: NewRegistration,
    application: Application,
    caller: Caller,
  ): Promise<void> {
    const until = nowSeconds() + this.settings.verifyTokenTtlSeconds;
    const { isRepeated, ...account } = await this.mails.createPending(manager, registration, until);
    await this.linkMails.queueVerification(manager, account, application, caller);
    if (!isRepeated) await this.publish(manager, account.user);
  }

  private publish(
    manager: EntityManager,
    { id: userId, applicationId }: { id: number; applicationId: number },
  ): Promise<void> {
    const detail = { method: 'mail' as const };
    return this.events.publish(manager, { type: 'account.registered', applicationId, userId, detail });
  }

  /**
   * The same for all registrations of one mail, so that a login verifies its password against all of them for
   * the work of one. It is unique to the mail, and unpredictable.
   */
  private saltOf(applicationId: number, mail: string): Buffer {
    const hmac = createHmac('sha256', this.saltKey).update(`${applicationId}:${mailKey(mail)}`);
    return hmac.digest().subarray(0, SALT_BYTES);
  }
}
