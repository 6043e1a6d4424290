import { Injectable } from '@nestjs/common';
import type { Caller } from '../common/caller.js';
import { PlutoError } from '../common/errors.js';
import { Settings } from '../config/settings.js';
import { Transactions } from '../database/transactions.js';
import { ApplicationsService } from '../rbac/applications.service.js';
import { AccountsService } from '../users/accounts.service.js';
import { LinkMailsService } from './link-mails.service.js';
import { PasswordHasher } from './password-hasher.service.js';

export interface Registration {
  applicationName: string;
  mail: string;
  handle: string;
  name: string;
  password: string;
}

/** Registers accounts by mail. */
@Injectable()
export class RegistrationService {
  constructor(
    private readonly transactions: Transactions,
    private readonly applications: ApplicationsService,
    private readonly accounts: AccountsService,
    private readonly passwords: PasswordHasher,
    private readonly linkMails: LinkMailsService,
    private readonly settings: Settings,
  ) {}

  /**
   * Makes an account, and queues the mail that confirms it unless the settings do without.
   * @throws PlutoError applicationNotExist | mailAlreadyRegistered | userIdExists
   */
  async register(registration: Registration, caller: Caller): Promise<{ mail: string; isVerified: boolean }> {
    const application = await this.applications.getByName(registration.applicationName);
    const known = await this.accounts.findIdentity(application.id, registration.mail);
    if (known?.isVerified) throw new PlutoError('mailAlreadyRegistered');

    const passwordHash = await this.passwords.hash(registration.password);
    const isVerified = this.settings.skipRegisterVerifyMail;
    await this.transactions.run(async (manager) => {
      const account = await this.accounts.createWithMail(manager, {
        applicationId: application.id,
        mail: registration.mail,
        handle: registration.handle,
        name: registration.name.trim(),
        passwordHash,
        isVerified,
      });
      if (!isVerified) await this.linkMails.queueVerification(manager, account, application, caller);
    });
    return { mail: registration.mail, isVerified };
  }
}
