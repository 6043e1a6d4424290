import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../common/caller.js';
import { PlutoError } from '../common/errors.js';
import type { Application } from '../rbac/application.entity.js';
import { ApplicationsService } from '../rbac/applications.service.js';
import { TokenIssuerService, type TokenPair } from '../token/token-issuer.service.js';
import { AccountsService } from '../users/accounts.service.js';
import { PasswordHasher } from './password-hasher.service.js';

export interface Credentials {
  applicationName: string;
  /** Mail or handle. */
  account: string;
  password: string;
}

export interface PasswordLogin extends Credentials {
  deviceId: string | undefined;
}

/** That somebody knows the password of an account. */
export interface PasswordProof {
  application: Application;
  /**
   * Confirms it within a transaction, which it should begin, and locks the account.
   * @returns the account's id
   */
  authenticate: (manager: EntityManager) => Promise<number>;
}

/** The hash that was checked is not the account's any more: it was reset, or another login has renewed it. */
class PasswordReplaced extends Error {}

const MAX_ATTEMPTS = 3;

/** Signs people in by password. */
@Injectable()
export class PasswordLoginService {
  constructor(
    private readonly applications: ApplicationsService,
    private readonly accounts: AccountsService,
    private readonly passwords: PasswordHasher,
    private readonly tokens: TokenIssuerService,
  ) {}

  /**
   * Opens a session for the account that the mail or handle and the password belong to.
   * @throws PlutoError as `prove`
   */
  login({ deviceId, ...credentials }: PasswordLogin, caller: Caller): Promise<TokenPair> {
    return this.prove(credentials, (proof) => this.tokens.openSession({ ...proof, deviceId, caller }));
  }

  /**
   * Checks a password. An account that does not exist and a wrong password are one answer, after the same work.
   * @param open does in a transaction what the password entitles to; it runs again if the hash is replaced meanwhile
   * @throws PlutoError applicationNotExist | invalidPassword | mailNotVerified
   */
  async prove<T>(credentials: Credentials, open: (proof: PasswordProof) => Promise<T>): Promise<T> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      try {
        return await open(await this.check(credentials));
      } catch (error) {
        if (!(error instanceof PasswordReplaced)) throw error;
      }
    }
    throw new PlutoError('invalidPassword');
  }

  private async check({ applicationName, account, password }: Credentials): Promise<PasswordProof> {
    const application = await this.applications.getByName(applicationName);
    const found = await this.accounts.findByAccount(application.id, account);
    const stored = found?.user.passwordHash ?? null;
    const isRight = await this.passwords.verify(stored, password);
    if (!found || stored === null || !isRight) throw new PlutoError('invalidPassword');
    if (!found.identity.isVerified) throw new PlutoError('mailNotVerified');

    const userId = found.user.id;
    const renewed = this.passwords.isOutdated(stored) ? await this.passwords.hash(password) : stored;
    return {
      application,
      // The password was checked outside the transaction; a reset or deletion since then wins.
      authenticate: async (manager) => {
        const isSame = await this.accounts.replacePasswordHash(manager, userId, stored, renewed);
        if (!isSame) throw new PasswordReplaced();
        return userId;
      },
    };
  }
}
