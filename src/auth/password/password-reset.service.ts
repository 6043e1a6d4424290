import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../../common/caller.js';
import { nowSeconds } from '../../common/time.js';
import { SecurityEvents } from '../../events/security-events.js';
import { Transactions } from '../../database/transactions.js';
import { OutboxService } from '../../mail/outbox.service.js';
import type { Application } from '../../applications/application.entity.js';
import { ApplicationsService } from '../../applications/applications.service.js';
import { SessionsService } from '../../token/sessions.service.js';
import { AccountsService, type MailAccount } from '../../users/accounts.service.js';
import type { Identity } from '../../users/identity.entity.js';
import { ProviderIdentitiesService } from '../../users/provider-identities.service.js';
import { deviceIdentifiers } from '../devices/device-identifiers.js';
import { KnownDevicesService } from '../devices/known-devices.service.js';
import { LinkRequestsService } from '../links/link-requests.service.js';
import { MailLimitsService } from '../links/mail-limits.service.js';
import { OneTimeTokensService } from '../links/one-time-tokens.service.js';
import { LoginFailures } from './login-failures.service.js';
import { PasswordHasher } from './password-hasher.service.js';
import { assertHardToGuess } from './password-rules.js';

/** The account whose password a link resets. */
export interface ResetLink extends MailAccount {
  application: Application;
  /** Other ways to sign in that were added recently, which the owner may remove with the reset. */
  recent: Identity[];
}

/** Which of the recently added ways to sign in stay: all, or those with these ids. */
export type KeptBindings = 'all' | readonly number[];

const RECENT_SECONDS = 30 * 24 * 60 * 60;

/** Resets passwords with mailed links. */
@Injectable()
export class PasswordResetService {
  constructor(
    private readonly transactions: Transactions,
    private readonly applications: ApplicationsService,
    private readonly accounts: AccountsService,
    private readonly identities: ProviderIdentitiesService,
    private readonly sessions: SessionsService,
    private readonly passwords: PasswordHasher,
    private readonly tokens: OneTimeTokensService,
    private readonly requests: LinkRequestsService,
    private readonly mailLimits: MailLimitsService,
    private readonly outbox: OutboxService,
    private readonly knownDevices: KnownDevicesService,
    private readonly loginFailures: LoginFailures,
    private readonly events: SecurityEvents,
  ) {}

  /**
   * Sends the mail with the link, afterwards. Unknown addresses get the same answer, but no mail.
   * @throws PlutoError applicationNotExist | tooManyRequests
   */
  async sendMail(applicationName: string, mail: string, caller: Caller): Promise<void> {
    const { id: applicationId } = await this.applications.getByName(applicationName);
    await this.mailLimits.count('reset-password', { applicationId, typed: mail, caller });
    await this.requests.add({ kind: 'reset-password', applicationId, typed: mail }, caller);
  }

  /** The account of a link; null if the link is unknown, used or expired. Does not consume the link. */
  async look(token: string): Promise<ResetLink | null> {
    const link = await this.tokens.find('reset-password', token);
    const account = link && link.usedAt === null ? await this.accounts.findByIdentity(link.identityId) : null;
    if (!account?.identity.isVerified) return null;
    return {
      ...account,
      application: await this.applications.getById(account.user.applicationId),
      recent: await this.recentOf(account),
    };
  }

  /**
   * Sets the password and consumes the link. All sessions end, other links to the account become invalid, and
   * its known devices are forgotten, except the current address.
   * @param kept of the ways to sign in that were added recently; the others are removed, also one that was
   *   added after the owner was asked
   * @returns the account; null for an unknown, used or expired link
   * @throws PlutoError badRequest for a password that is easy to guess
   */
  async reset(
    token: string,
    { password, kept = 'all' }: { password: string; kept?: KeptBindings },
    caller: Caller,
  ): Promise<ResetLink | null> {
    const found = await this.look(token);
    if (!found) return null;
    assertHardToGuess(password, wordsOf(found));
    const passwordHash = await this.passwords.hash(password);
    return this.transactions.runFor(caller, async (manager) => {
      // Locked first, so that a binding that is added concurrently is seen here or refused.
      if (!(await this.accounts.lock(manager, found.user.id))) return null;
      const link = await this.tokens.find('reset-password', token, manager);
      if (!link || !(await this.tokens.consume(manager, link))) return null;
      const account = await this.accounts.findByIdentity(link.identityId, manager);
      if (!account) return null;
      await this.accounts.setPassword(manager, account.user.id, passwordHash);
      await this.accounts.setLanguage(manager, account.user.id);
      await this.removeAllBut(manager, account, kept);
      await this.sessions.endAllOf(manager, account.user.id);
      await this.tokens.revokeAll(manager, account.identity.id);
      await this.outbox.withdraw(manager, account.user.id, ['verify-mail', 'password-reset']);
      const { id: userId, applicationId } = account.user;
      await this.loginFailures.forget(manager, userId);
      await this.knownDevices.forgetAll(manager, userId);
      await this.knownDevices.remember(manager, userId, deviceIdentifiers(caller));
      await this.events.publish(manager, { type: 'password.reset', applicationId, userId, detail: {} });
      return found;
    });
  }

  private async removeAllBut(
    manager: EntityManager,
    account: MailAccount,
    kept: KeptBindings,
  ): Promise<void> {
    if (kept === 'all') return;
    const { id: userId, applicationId } = account.user;
    for (const identity of await this.recentOf(account, manager)) {
      const { id, loginType } = identity;
      if (loginType === 'mail' || kept.includes(id)) continue;
      await this.identities.remove(manager, identity);
      const detail = { provider: loginType };
      await this.events.publish(manager, { type: 'provider.unbound', applicationId, userId, detail });
    }
  }

  /** All but the mail that the link was sent to. */
  private async recentOf({ user, identity }: MailAccount, manager?: EntityManager): Promise<Identity[]> {
    const since = nowSeconds() - RECENT_SECONDS;
    const bound = await this.accounts.identitiesOf(user.id, manager);
    return bound.filter(
      ({ id, isVerified, createdAt }) => id !== identity.id && isVerified && createdAt > since,
    );
  }
}

/** What the password must not be: see `weaknessOf`. */
export function wordsOf({ user, identity, application }: ResetLink): string[] {
  return [identity.mail, user.handle, user.name, application.name];
}
