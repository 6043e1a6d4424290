import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../../common/caller.js';
import { PlutoError } from '../../common/errors.js';
import { SecurityEvents } from '../../events/security-events.js';
import { Transactions } from '../../database/transactions.js';
import type { Application } from '../../applications/application.entity.js';
import { ApplicationsService } from '../../applications/applications.service.js';
import { TokenIssuerService, type TokenPair } from '../../token/token-issuer.service.js';
import { AccountsService } from '../../users/accounts.service.js';
import { deviceIdentifiers } from '../devices/device-identifiers.js';
import { KnownDevicesService } from '../devices/known-devices.service.js';
import { LoginAttempts } from './login-attempts.service.js';
import { PasswordHasher } from './password-hasher.service.js';

export interface Credentials {
  applicationName: string;
  /** Mail or handle. */
  account: string;
  password: string;
  caller: Caller;
  /** The authenticated OAuth client that sends its user's password, unless it names the user's address. */
  clientKey?: string | undefined;
  /** What is known of the device: see `deviceIdentifiers`. */
  device: { id?: string | undefined; browser?: string };
}

/** Proof that somebody knows the password of an account; valid only once `authenticate` has confirmed it. */
export interface PasswordProof {
  application: Application;
  userId: number;
  /** The hash that the password was verified against. */
  passwordHash: string;
  /** What is known of the device; see `deviceIdentifiers`. */
  identifiers: string[];
  /** Whether wrong passwords were counted before. */
  hasFailures: boolean;
}

/** Signs people in with a password. */
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
   * @throws PlutoError like `prove`
   */
  async login(credentials: Credentials): Promise<TokenPair> {
    const { caller, device } = credentials;
    const proof = await this.prove(credentials);
    const session = await this.transactions.runFor(caller, async (manager) => {
      await this.authenticate(manager, proof);
      const { userId, application } = proof;
      const login = { userId, application, deviceId: device.id, caller };
      return this.tokens.openSession(manager, { ...login, signedInBy: 'password' });
    });
    return this.tokens.sign(session);
  }

  /**
   * Verifies a password, outside transactions since hashing takes long. An unknown account and a wrong
   * password get the same answer after the same work.
   * @throws PlutoError applicationNotExist | invalidPassword | mailNotVerified | tooManyRequests
   */
  async prove(credentials: Credentials): Promise<PasswordProof> {
    const { applicationName, account, password, caller, clientKey, device } = credentials;
    const application = await this.applications.getByName(applicationName);
    const candidates = await this.accounts.findCredentials(application.id, account);
    const identifiers = deviceIdentifiers(caller, device);
    const place = { applicationId: application.id, userId: candidates[0]?.userId ?? 0 };
    const matched = await this.knownDevices.match(place.userId, identifiers);
    const { address } = caller;
    const attempt = await this.attempts.begin({ ...place, account, device: matched, address, clientKey });

    const hashes = candidates.map(({ passwordHash }) => passwordHash);
    const match = await this.passwords.findMatch(hashes, password).catch(async (error: unknown) => {
      await attempt.refund();
      throw error;
    });
    const found = candidates[match];
    const stored = found?.passwordHash ?? null;
    if (!found || stored === null || attempt.isRefused)
      throw await this.refuse(place, 'credentials', caller, await attempt.fail());
    await attempt.refund();
    const { userId } = found;
    if (!found.isVerified) throw await this.refuse({ ...place, userId }, 'unverified', caller);
    const { hasFailures } = attempt;
    const proof = { application, userId, passwordHash: stored, identifiers, hasFailures };
    return this.passwords.isOutdated(stored) ? this.renew(proof, credentials) : proof;
  }

  /**
   * Confirms a proof in the transaction that relies on it, locks the account, and records the sign-in.
   * @throws PlutoError invalidPassword if the password was changed or the account deleted since it was
   *   verified
   */
  async authenticate(manager: EntityManager, proof: PasswordProof): Promise<void> {
    const { application, userId, passwordHash, identifiers, hasFailures } = proof;
    if (!(await this.accounts.lockWithPassword(manager, userId, passwordHash)))
      throw new PlutoError('invalidPassword');
    if (hasFailures) await this.attempts.forget(manager, userId);
    const isKnown = await this.knownDevices.remember(manager, userId, identifiers);
    await this.events.publish(manager, {
      type: 'login.succeeded',
      applicationId: application.id,
      userId,
      detail: { method: 'password', device: isKnown ? 'known' : 'new' },
    });
  }

  /** Rehashes a password with the current parameters. */
  private async renew(proof: PasswordProof, credentials: Credentials): Promise<PasswordProof> {
    const passwordHash = await this.passwords.hash(credentials.password);
    const isRenewed = await this.accounts.replacePasswordHash(proof.userId, proof.passwordHash, passwordHash);
    // Otherwise another login has renewed the hash or the password was reset: verify against the stored one.
    return isRenewed ? { ...proof, passwordHash } : this.prove(credentials);
  }

  private async refuse(
    { applicationId, userId }: { applicationId: number; userId: number },
    reason: 'credentials' | 'unverified',
    caller: Caller,
    record?: (manager: EntityManager) => Promise<void>,
  ): Promise<PlutoError> {
    const event = { applicationId, userId: userId === 0 ? null : userId };
    const detail = { method: 'password' as const, reason };
    await this.transactions.runFor(caller, async (manager) => {
      await record?.(manager);
      await this.events.publish(manager, { type: 'login.failed', ...event, detail });
    });
    return new PlutoError(reason === 'credentials' ? 'invalidPassword' : 'mailNotVerified');
  }
}
