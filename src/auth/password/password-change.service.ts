import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/access.js';
import type { Caller } from '../../common/caller.js';
import { PlutoError } from '../../common/errors.js';
import { Transactions } from '../../database/transactions.js';
import { SecurityEvents } from '../../events/security-events.js';
import { OutboxService } from '../../mail/outbox.service.js';
import { SessionsService } from '../../token/sessions.service.js';
import { AccountsService } from '../../users/accounts.service.js';
import { OneTimeTokensService } from '../links/one-time-tokens.service.js';
import { PasswordHasher } from './password-hasher.service.js';
import { PasswordLoginService } from './password-login.service.js';
import { assertHardToGuess } from './password-rules.js';

/** Lets people who are signed in change their password. */
@Injectable()
export class PasswordChangeService {
  constructor(
    private readonly transactions: Transactions,
    private readonly accounts: AccountsService,
    private readonly logins: PasswordLoginService,
    private readonly passwords: PasswordHasher,
    private readonly sessions: SessionsService,
    private readonly tokens: OneTimeTokensService,
    private readonly outbox: OutboxService,
    private readonly events: SecurityEvents,
  ) {}

  /**
   * Replaces the password, of two concurrent changes one, and ends all other sessions. Links that were mailed
   * before become invalid. Guessing the old password is limited and recorded as at a sign-in.
   * @throws PlutoError passwordNotSet | invalidPassword | tooManyRequests | badRequest for a new one that is
   *   easy to guess
   */
  async change(
    { userId, applicationId, applicationName, sessionId }: Principal,
    { oldPassword, newPassword }: { oldPassword: string; newPassword: string },
    caller: Caller,
  ): Promise<void> {
    const user = await this.accounts.find(userId);
    if (!user) throw new PlutoError('invalidAccessToken');
    if (user.passwordHash === null) throw new PlutoError('passwordNotSet');
    const mails = (await this.accounts.identitiesOf(userId)).map(({ mail }) => mail);
    assertHardToGuess(newPassword, [...mails, user.handle, user.name, applicationName]);
    const credentials = { applicationName, account: user.handle, password: oldPassword, caller, device: {} };
    const proof = await this.logins.prove(credentials);
    if (proof.userId !== userId) throw new PlutoError('invalidPassword');
    const passwordHash = await this.passwords.hash(newPassword);
    await this.transactions.runFor(caller, async (manager) => {
      await this.logins.authenticate(manager, proof);
      if (!(await this.sessions.noteAuthentication(manager, sessionId)))
        throw new PlutoError('invalidAccessToken');
      await this.accounts.setPassword(manager, userId, passwordHash);
      await this.sessions.endOthersOf(manager, userId, sessionId);
      for (const { id } of await this.accounts.identitiesOf(userId, manager))
        await this.tokens.revokeAll(manager, id);
      await this.outbox.withdraw(manager, userId, ['password-reset']);
      await this.events.publish(manager, { type: 'password.changed', applicationId, userId, detail: {} });
    });
  }
}
