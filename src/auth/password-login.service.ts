import { Injectable } from '@nestjs/common';
import { PlutoError } from '../common/errors.js';
import type { Application } from '../rbac/application.entity.js';
import { ApplicationsService } from '../rbac/applications.service.js';
import { AccountsService } from '../users/accounts.service.js';
import type { User } from '../users/user.entity.js';
import { PasswordHasher } from './password-hasher.service.js';

/** Checks passwords. */
@Injectable()
export class PasswordLoginService {
  constructor(
    private readonly applications: ApplicationsService,
    private readonly accounts: AccountsService,
    private readonly passwords: PasswordHasher,
  ) {}

  /**
   * Finds the account that a mail or handle and a password belong to. An account that does not exist and a wrong
   * password are one answer, after the same work.
   * @throws PlutoError applicationNotExist | invalidPassword | mailNotVerified
   */
  async authenticate(
    applicationName: string,
    accountName: string,
    password: string,
  ): Promise<{ user: User; application: Application }> {
    const application = await this.applications.getByName(applicationName);
    const account = await this.accounts.findByAccount(application.id, accountName);
    const storedHash = account?.user.passwordHash ?? null;
    const isRight = await this.passwords.verify(storedHash, password);
    if (!account || storedHash === null || !isRight) throw new PlutoError('invalidPassword');
    if (!account.identity.isVerified) throw new PlutoError('mailNotVerified');
    if (this.passwords.isOutdated(storedHash)) {
      await this.accounts.upgradePasswordHash(
        account.user.id,
        storedHash,
        await this.passwords.hash(password),
      );
    }
    return { user: account.user, application };
  }
}
