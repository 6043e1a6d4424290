import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../common/caller.js';
import { PlutoError } from '../common/errors.js';
import { SecurityEvents, type SecurityEvent } from '../database/security-events.js';
import { execute } from '../database/statements.js';
import { Transactions } from '../database/transactions.js';
import type { Application } from '../rbac/application.entity.js';
import { ApplicationsService } from '../rbac/applications.service.js';
import { TokenIssuerService, type Authentication, type TokenPair } from '../token/token-issuer.service.js';
import { AccountsService } from '../users/accounts.service.js';
import { deviceMarks } from './device-marks.js';
import { KnownDevicesService } from './known-devices.service.js';
import { LoginAttempts } from './login-attempts.service.js';
import { PasswordHasher } from './password-hasher.service.js';

export interface Credentials {
  applicationName: string;
  /** Mail or handle. */
  account: string;
  password: string;
  caller: Caller;
  /** What is known of the device: see `deviceMarks`. */
  device: { id?: string | undefined; browser?: string };
}

/** That somebody knows the password of an account. */
export interface PasswordProof {
  application: Application;
  /**
   * Confirms it within a transaction, which it should begin, and locks the account.
   * @returns the account's id
   */
  authenticate: (manager: EntityManager) => Promise<number>;
  /**
   * The same by statements alone, which hold as long as nothing has changed since the password was checked; null where a device may
   * have to be forgotten, which is to be decided under the account's lock.
   */
  atOnce: Authentication | null;
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
    private readonly attempts: LoginAttempts,
    private readonly knownDevices: KnownDevicesService,
    private readonly tokens: TokenIssuerService,
    private readonly transactions: Transactions,
    private readonly events: SecurityEvents,
  ) {}

  /**
   * Opens a session for the account that the mail or handle and the password belong to.
   * @throws PlutoError as `prove`
   */
  login(credentials: Credentials): Promise<TokenPair> {
    const { caller, device } = credentials;
    return this.prove(credentials, (proof) =>
      this.tokens.openSession({ ...proof, deviceId: device.id, caller }),
    );
  }

  /**
   * Checks a password. An account that does not exist and a wrong password are one answer, after the same work.
   * @param open does in a transaction what the password entitles to; it runs again if the hash is replaced meanwhile
   * @throws PlutoError applicationNotExist | invalidPassword | mailNotVerified | tooManyRequests
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

  private async check(credentials: Credentials): Promise<PasswordProof> {
    const { applicationName, account, password, caller, device } = credentials;
    const application = await this.applications.getByName(applicationName);
    const found = await this.accounts.findCredentials(application.id, account);
    const marks = deviceMarks(caller, device);
    const place = { applicationId: application.id, userId: found?.userId ?? 0 };
    const { userId } = place;
    const devices = await this.knownDevices.of(userId);
    const recognized = this.knownDevices.recognize(devices, userId, marks);
    const { address } = caller;
    const attempt = await this.attempts.begin({ ...place, account, device: recognized, address });

    const stored = found?.passwordHash ?? null;
    const isRight = await this.passwords.verify(stored, password).catch(async (error: unknown) => {
      await attempt.forgive();
      throw error;
    });
    if (!found || stored === null || !isRight) {
      await attempt.fail();
      throw await this.refuse(place, 'credentials', caller);
    }
    await attempt.forgive();
    if (!found.isVerified) throw await this.refuse(place, 'unverified', caller);

    const renewed = this.passwords.isOutdated(stored) ? await this.passwords.hash(password) : stored;
    // The password was checked outside the transaction; a reset or deletion since then wins.
    const replaceHash = this.accounts.replacePasswordHash(userId, stored, renewed);
    const { changes, isKnown, hasRoom } = this.knownDevices.remembrance(devices, userId, marks);
    const event = this.events.asChanges(succeeded(place, isKnown), caller);
    return {
      application,
      atOnce: hasRoom ? { ...event, userId, changes: [replaceHash, ...changes, ...event.changes] } : null,
      authenticate: async (manager) => {
        if ((await execute(manager, replaceHash)) !== 1) throw new PasswordReplaced();
        const wasKnown = await this.knownDevices.remember(manager, userId, marks);
        await this.events.publish(manager, succeeded(place, wasKnown));
        return userId;
      },
    };
  }

  private async refuse(
    { applicationId, userId }: { applicationId: number; userId: number },
    reason: 'credentials' | 'unverified',
    caller: Caller,
  ): Promise<PlutoError> {
    const event = { applicationId, userId: userId === 0 ? null : userId };
    const detail = { method: 'password' as const, reason };
    await this.transactions.runFor(caller, (manager) =>
      this.events.publish(manager, { type: 'login.failed', ...event, detail }),
    );
    return new PlutoError(reason === 'credentials' ? 'invalidPassword' : 'mailNotVerified');
  }
}

function succeeded(place: { applicationId: number; userId: number }, isKnown: boolean): SecurityEvent {
  const detail = { method: 'password' as const, device: isKnown ? ('known' as const) : ('new' as const) };
  return { type: 'login.succeeded', ...place, detail };
}
