import { Injectable } from '@nestjs/common';
import { hash } from '@node-rs/argon2';
import { DataSource, type EntityManager } from 'typeorm';
import { PlutoError } from '../common/errors.js';
import { InvalidSettings } from '../config/invalid-settings.js';
import { Settings } from '../config/settings.js';
import { withLease } from '../database/jobs/lease.js';
import { Transactions } from '../database/transactions.js';
import { AdministratorsService } from '../rbac/administrators.service.js';
import { PlutoApplicationSeed } from '../rbac/pluto-application.seed.js';
import { KeyRotationService, type KeyDraft } from '../token/key-rotation.service.js';
import { FIRST_ADMINISTRATOR } from '../users/first-administrator.js';
import { AdministratorAccountsService } from './administrator-accounts.service.js';
import { PLUTO } from '../applications/pluto-names.js';
import { weaknessOf } from './password/password-rules.js';
import { PasswordHashParameters } from './password/password-hash-parameters.js';

export interface FirstAdministrator {
  mail: string;
  /** Null if ADMIN_PASSWORD is set. */
  generatedPassword: string | null;
}

interface Preparations {
  key: KeyDraft;
  passwordHash: string;
}

/** Fills an empty database with what Pluto needs: application, roles, scopes, signing key, administrator. */
@Injectable()
export class FirstStartService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly seed: PlutoApplicationSeed,
    private readonly administrators: AdministratorsService,
    private readonly administratorAccounts: AdministratorAccountsService,
    private readonly keys: KeyRotationService,
    private readonly settings: Settings,
    private readonly hashParameters: PasswordHashParameters,
  ) {}

  /**
   * Creates what is missing, in one transaction; of several instances starting together only one does it.
   * @returns the administrator, if this call created one
   */
  async prepare(): Promise<FirstAdministrator | null> {
    if (await this.isPrepared()) return null;
    return withLease(this.dataSource, 'first-start', () => this.makeMissing(), {
      leaseSeconds: 30,
      waitSeconds: 120,
    });
  }

  private async makeMissing(): Promise<FirstAdministrator | null> {
    if (await this.isPrepared()) return null;
    const password = this.choosePassword();
    // Not with PasswordHasher: starting threads for a single hash would slow the first start and keep their
    // memory.
    const [key, passwordHash] = await Promise.all([this.keys.draft(), hash(password, this.hashParameters)]);
    const isMade = await this.transactions.runFor(null, (manager) =>
      this.plant(manager, { key, passwordHash }),
    );
    if (!isMade) return null;
    return {
      mail: this.settings.adminMail,
      generatedPassword: this.settings.adminPassword === undefined ? password : null,
    };
  }

  private choosePassword(): string {
    const { adminMail, adminPassword } = this.settings;
    if (adminPassword === undefined) return this.administratorAccounts.generatePassword();
    if (weaknessOf(adminPassword, [adminMail, PLUTO.application]) !== null)
      throw new InvalidSettings(['ADMIN_PASSWORD is too easy to guess: choose another']);
    return adminPassword;
  }

  private async isPrepared(): Promise<boolean> {
    const { manager } = this.dataSource;
    return (await this.administrators.count(manager)) > 0 && (await this.keys.exist(manager));
  }

  private async plant(manager: EntityManager, { key, passwordHash }: Preparations): Promise<boolean> {
    await this.keys.addFirst(manager, key);
    await this.seed.plant(manager);
    if ((await this.administrators.count(manager)) > 0) return false;
    await this.createAdministrator(manager, passwordHash);
    return true;
  }

  private async createAdministrator(manager: EntityManager, passwordHash: string): Promise<void> {
    const { adminMail } = this.settings;
    try {
      await this.administratorAccounts.createWithin(manager, {
        mail: adminMail,
        ...FIRST_ADMINISTRATOR,
        passwordHash,
      });
    } catch (cause) {
      if (!(cause instanceof PlutoError) || cause.code >= 3000) throw cause;
      throw new InvalidSettings([
        `ADMIN_MAIL: Pluto has no administrator, and ${adminMail} or the user id admin is taken: give an account the role with ` +
          '`npm run pluto -- role assign pluto admin ACCOUNT`, or create one with `npm run pluto -- admin create`',
      ]);
    }
  }
}
