import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { randomToken } from '../common/crypto.js';
import type { RequestContext } from '../common/request-context.js';
import { SecurityEvents } from '../events/security-events.js';
import { Transactions } from '../database/transactions.js';
import { AdministratorsService } from '../rbac/administrators.service.js';
import { PlutoApplicationSeed } from '../rbac/pluto-application.seed.js';
import { UserRolesService } from '../rbac/user-roles.service.js';
import { PLUTO } from '../applications/pluto-names.js';
import { AccountsService } from '../users/accounts.service.js';
import { MailIdentitiesService } from '../users/mail-identities.service.js';
import type { User } from '../users/user.entity.js';
import { assertHardToGuess } from './password/password-rules.js';
import { PasswordHasher } from './password/password-hasher.service.js';

export interface NewAdministrator {
  mail: string;
  handle: string;
  name: string;
  passwordHash: string;
}

const GENERATED_PASSWORD_LENGTH = 20;

/** Creates and lists the accounts that administer Pluto. */
@Injectable()
export class AdministratorAccountsService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly seed: PlutoApplicationSeed,
    private readonly administrators: AdministratorsService,
    private readonly userRoles: UserRolesService,
    private readonly accounts: AccountsService,
    private readonly mails: MailIdentitiesService,
    private readonly passwords: PasswordHasher,
    private readonly events: SecurityEvents,
  ) {}

  /** A generated password: 120 random bits. */
  generatePassword(): string {
    return randomToken().slice(0, GENERATED_PASSWORD_LENGTH);
  }

  /**
   * Creates a confirmed account of `pluto` with the role `admin`.
   * @throws PlutoError badRequest for a password that is easy to guess | mailAlreadyRegistered | userIdExists
   */
  async create(
    administrator: Omit<NewAdministrator, 'passwordHash'>,
    password: string,
    context: RequestContext | null,
  ): Promise<number> {
    const { mail, handle, name } = administrator;
    assertHardToGuess(password, [mail, handle, name, PLUTO.application]);
    const passwordHash = await this.passwords.hash(password);
    return this.transactions.runFor(context, (manager) =>
      this.createWithin(manager, { ...administrator, passwordHash }),
    );
  }

  /** Like `create`, within a transaction of `runFor`. @returns the account's id */
  async createWithin(manager: EntityManager, administrator: NewAdministrator): Promise<number> {
    const { application, adminRole } = await this.seed.plant(manager);
    const { user } = await this.mails.createAccount(manager, {
      ...administrator,
      applicationId: application.id,
    });
    await this.events.publish(manager, {
      type: 'account.registered',
      applicationId: application.id,
      userId: user.id,
      detail: { method: 'mail' },
    });
    await this.userRoles.assign(manager, user.id, application, adminRole.id);
    return user.id;
  }

  async list(): Promise<{ user: User; mail: string }[]> {
    const ids = await this.administrators.listUserIds(this.dataSource.manager);
    return this.accounts.findWithMail(ids);
  }
}
