import { Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../../common/caller.js';
import { PlutoError } from '../../common/errors.js';
import { nowSeconds } from '../../common/time.js';
import { Settings } from '../../config/settings.js';
import { SecurityEvents } from '../../events/security-events.js';
import { Transactions } from '../../database/transactions.js';
import { Limits } from '../../limits/limits.service.js';
import type { Application } from '../../applications/application.entity.js';
import { ApplicationsService } from '../../applications/applications.service.js';
import type { Identity } from '../../users/identity.entity.js';
import { MailIdentitiesService } from '../../users/mail-identities.service.js';
import { assertHardToGuess } from '../password/password-rules.js';
import { LinkMailsService, recipientKey } from '../links/link-mails.service.js';
import { OneTimeTokensService } from '../links/one-time-tokens.service.js';
import { PasswordHasher } from '../password/password-hasher.service.js';

export interface Registration {
  applicationName: string;
  mail: string;
  handle: string;
  name: string;
  password: string;
}

const ABANDONED_AFTER_SECONDS = 30 * 24 * 60 * 60;

/** Registers accounts by mail. */
@Injectable()
export class RegistrationService {
  private readonly logger = new Logger('Accounts');

  constructor(
    private readonly transactions: Transactions,
    private readonly applications: ApplicationsService,
    private readonly mails: MailIdentitiesService,
    private readonly passwords: PasswordHasher,
    private readonly tokens: OneTimeTokensService,
    private readonly linkMails: LinkMailsService,
    private readonly limits: Limits,
    private readonly events: SecurityEvents,
    private readonly settings: Settings,
  ) {}

  /**
   * Creates an account and queues its verification mail, unless SKIP_REGISTER_VERIFY_MAIL is set.
   * @throws PlutoError badRequest for an easy password | applicationNotExist | mailAlreadyRegistered |
   *   userIdExists | tooManyRequests
   */
  async register(registration: Registration, caller: Caller): Promise<{ mail: string; isVerified: boolean }> {
    const { mail, handle, name, applicationName, password } = registration;
    assertHardToGuess(password, [mail, handle, name, applicationName]);
    const application = await this.applications.getByName(registration.applicationName);
    const known = await this.mails.find(application.id, registration.mail);
    if (known?.isVerified) throw new PlutoError('mailAlreadyRegistered');

    const isVerified = this.settings.skipRegisterVerifyMail;
    const create = () => this.create(application, registration, caller);
    if (isVerified) await create();
    else
      await this.limits.whileLeft(
        'mail-recipient',
        recipientKey('verify-mail', application.id, registration.mail),
        create,
      );
    return { mail: registration.mail, isVerified };
  }

  /**
   * Deletes mails not confirmed within a month, and accounts without another identity, which frees their
   * handles.
   */
  async purgeAbandoned(signal: AbortSignal): Promise<void> {
    const longAgo = nowSeconds() - ABANDONED_AFTER_SECONDS;
    for await (const identity of this.mails.findPendingBefore(longAgo)) {
      signal.throwIfAborted();
      const isDeleted = await this.transactions.runFor(null, (manager) =>
        this.deleteIfAbandoned(manager, identity),
      );
      if (isDeleted) this.logger.log({ msg: 'unconfirmed mail deleted', userId: identity.userId });
    }
  }

  private async create(application: Application, registration: Registration, caller: Caller): Promise<void> {
    const { mail, handle, name, password } = registration;
    const passwordHash = await this.passwords.hash(password);
    const isVerified = this.settings.skipRegisterVerifyMail;
    const { id: applicationId } = application;
    await this.transactions.runFor(caller, async (manager) => {
      const account = await this.mails.createAccount(manager, {
        applicationId,
        mail,
        handle,
        name: name.trim(),
        passwordHash,
        isVerified,
      });
      if (!isVerified) await this.linkMails.queueVerification(manager, account, application, caller);
      const { id: userId } = account.user;
      await this.events.publish(manager, {
        type: 'account.registered',
        applicationId,
        userId,
        detail: { method: 'mail' },
      });
    });
  }

  /** Locks the account first, so that no link is mailed between the check and the deletion. */
  private async deleteIfAbandoned(manager: EntityManager, identity: Identity): Promise<boolean> {
    const isPending = await this.mails.lockPending(manager, identity);
    if (!isPending || (await this.tokens.hasLive(manager, identity.id))) return false;
    return this.mails.deletePending(manager, identity);
  }
}
