import { Injectable } from '@nestjs/common';
import type { Caller } from '../../common/caller.js';
import { SecurityEvents } from '../../events/security-events.js';
import { Transactions } from '../../database/transactions.js';
import { Limits } from '../../limits/limits.service.js';
import { OutboxService } from '../../mail/outbox.service.js';
import type { Application } from '../../applications/application.entity.js';
import { ApplicationsService } from '../../applications/applications.service.js';
import { SessionsService } from '../../token/sessions.service.js';
import { AccountsService, type MailAccount } from '../../users/accounts.service.js';
import { MailIdentitiesService } from '../../users/mail-identities.service.js';
import { deviceIdentifiers } from '../devices/device-identifiers.js';
import { KnownDevicesService } from '../devices/known-devices.service.js';
import { LinkMailsService, recipientKey } from '../links/link-mails.service.js';
import { OneTimeTokensService } from '../links/one-time-tokens.service.js';
import { LoginFailures } from './login-failures.service.js';
import { PasswordHasher } from './password-hasher.service.js';
import { assertHardToGuess } from './password-rules.js';

/** The account whose password a link resets. */
export interface ResetLink extends MailAccount {
  application: Application;
}

/** Resets passwords with mailed links. */
@Injectable()
export class PasswordResetService {
  constructor(
    private readonly transactions: Transactions,
    private readonly applications: ApplicationsService,
    private readonly accounts: AccountsService,
    private readonly mails: MailIdentitiesService,
    private readonly sessions: SessionsService,
    private readonly passwords: PasswordHasher,
    private readonly tokens: OneTimeTokensService,
    private readonly linkMails: LinkMailsService,
    private readonly outbox: OutboxService,
    private readonly knownDevices: KnownDevicesService,
    private readonly loginFailures: LoginFailures,
    private readonly limits: Limits,
    private readonly events: SecurityEvents,
  ) {}

  /**
   * Queues the mail with the link. Unknown addresses get the same answer, but no mail.
   * @throws PlutoError applicationNotExist | tooManyRequests
   */
  async sendMail(applicationName: string, mail: string, caller: Caller): Promise<void> {
    const application = await this.applications.getByName(applicationName);
    await this.limits.count('mail-recipient', recipientKey('reset-password', application.id, mail));
    const account = await this.accounts.findByMail(application.id, mail);
    if (!account || !(await this.accounts.owns(account))) return;
    await this.linkMails.send(caller, (manager) =>
      this.linkMails.queueReset(manager, account, application, caller),
    );
  }

  /** The account of a link; null if the link is unknown, used or expired. Does not consume the link. */
  async look(token: string): Promise<ResetLink | null> {
    const link = await this.tokens.find('reset-password', token);
    const account = link && link.usedAt === null ? await this.accounts.findByIdentity(link.identityId) : null;
    if (!account) return null;
    return { ...account, application: await this.applications.getById(account.user.applicationId) };
  }

  /**
   * Sets the password and consumes the link. The link proves the mailbox, so the mail is confirmed. All
   * sessions end, other links to the account become invalid, and its known devices are forgotten, except the
   * current address.
   * @returns the account; null for an unknown, used or expired link
   * @throws PlutoError badRequest for a password that is easy to guess
   */
  async reset(token: string, password: string, caller: Caller): Promise<ResetLink | null> {
    const found = await this.look(token);
    if (!found) return null;
    assertHardToGuess(password, wordsOf(found));
    const passwordHash = await this.passwords.hash(password);
    return this.transactions.runFor(caller, async (manager) => {
      const link = await this.tokens.find('reset-password', token, manager);
      if (!link || !(await this.tokens.consume(manager, link))) return null;
      const account = await this.accounts.findByIdentity(link.identityId, manager);
      if (!account) return null;
      await this.accounts.setPassword(manager, account.user.id, passwordHash);
      await this.mails.confirm(manager, account.identity.id);
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
}

/** What the password must not be: see `weaknessOf`. */
export function wordsOf({ user, identity, application }: ResetLink): string[] {
  return [identity.mail, user.handle, user.name, application.name];
}
