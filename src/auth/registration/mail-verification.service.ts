import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../../common/caller.js';
import { PlutoError } from '../../common/errors.js';
import type { RequestContext } from '../../common/request-context.js';
import { comparisonKey } from '../../common/text-keys.js';
import { PlutoDataSource } from '../../database/pluto-data-source.js';
import { SecurityEvents } from '../../events/security-events.js';
import { RetryTransaction, Transactions } from '../../database/transactions.js';
import type { Application } from '../../applications/application.entity.js';
import { ApplicationsService } from '../../applications/applications.service.js';
import { AccountsService, type MailAccount } from '../../users/accounts.service.js';
import { MailIdentitiesService } from '../../users/mail-identities.service.js';
import { PendingMailsService } from '../../users/pending-mails.service.js';
import type { User } from '../../users/user.entity.js';
import { LinkRequestsService } from '../links/link-requests.service.js';
import { MailLimitsService } from '../links/mail-limits.service.js';
import type { OneTimeToken } from '../links/one-time-token.entity.js';
import { OneTimeTokensService } from '../links/one-time-tokens.service.js';
import { PasswordHasher } from '../password/password-hasher.service.js';

/** What shows that the reader of a contested mail made this registration and not another one. */
export type ConfirmationProof = 'password' | 'handle';

/** The account whose mail a link confirms. */
export interface VerificationLink extends MailAccount {
  application: Application;
  link: OneTimeToken;
  /** What must be entered to confirm it; null if the mail is not contested or already confirmed. */
  requires: ConfirmationProof | null;
}

export type Confirmation = VerificationLink & {
  /** `unproven`: the mail is contested, and the proof was missing or wrong. */
  outcome: 'confirmed' | 'already' | 'unproven';
};

/** Confirms that a mail address belongs to the owner of the account. */
@Injectable()
export class MailVerificationService {
  constructor(
    private readonly dataSource: PlutoDataSource,
    private readonly transactions: Transactions,
    private readonly applications: ApplicationsService,
    private readonly accounts: AccountsService,
    private readonly mails: MailIdentitiesService,
    private readonly pending: PendingMailsService,
    private readonly tokens: OneTimeTokensService,
    private readonly passwords: PasswordHasher,
    private readonly requests: LinkRequestsService,
    private readonly mailLimits: MailLimitsService,
    private readonly events: SecurityEvents,
  ) {}

  /**
   * Sends the links of what is pending again, afterwards; they expire with it. If nothing is pending, the
   * answer is the same.
   * @throws PlutoError applicationNotExist | mailAlreadyVerified | tooManyRequests
   */
  async sendAgain(
    applicationName: string,
    { mail, handle = '' }: { mail?: string | undefined; handle?: string | undefined },
    caller: Caller,
  ): Promise<void> {
    const application = await this.applications.getByName(applicationName);
    const applicationId = application.id;
    const isConfirmed =
      mail !== undefined
        ? (await this.mails.find(applicationId, mail)) !== null
        : await this.accounts.hasMail(applicationId, handle);
    if (isConfirmed) throw new PlutoError('mailAlreadyVerified');
    const typed = mail ?? handle;
    await this.mailLimits.count('verify-mail', { applicationId, typed, caller });
    await this.requests.add({ kind: 'verify-mail', applicationId, typed }, caller);
  }

  /** What a link would confirm; null if it is unknown or expired. Does not consume the link. */
  look(token: string): Promise<VerificationLink | null> {
    return this.find(this.dataSource.manager, token);
  }

  /**
   * Confirms the mail of a link, which ends everything else that is pending for it.
   * @param typed the password or handle, if the mail is contested
   * @returns null if the link is unknown or expired
   */
  async confirm(token: string, typed: string, context: RequestContext): Promise<Confirmation | null> {
    const seen = await this.look(token);
    if (!seen) return null;
    const isProven = await this.isProof(seen.user, typed);
    if (seen.requires !== null && !isProven) return { ...seen, outcome: 'unproven' };
    return this.transactions.runFor(context, async (manager) => {
      const found = await this.find(manager, token);
      if (!found) return null;
      // Contested only since it was looked at.
      if (found.requires !== null && !isProven) return { ...found, outcome: 'unproven' };
      if (found.identity.isVerified) return { ...found, outcome: 'already' };
      if (!(await this.mails.confirm(manager, found.identity))) throw new RetryTransaction();
      await this.tokens.consume(manager, found.link);
      const { id: userId, applicationId } = found.user;
      await this.events.publish(manager, { type: 'mail.confirmed', applicationId, userId, detail: {} });
      return { ...found, outcome: 'confirmed' };
    });
  }

  private async find(manager: EntityManager, token: string): Promise<VerificationLink | null> {
    const link = await this.tokens.find('verify-mail', token, manager);
    const account = link && (await this.accounts.findByIdentity(link.identityId, manager));
    if (!account) return null;
    const { user } = account;
    const confirmed = await this.mails.find(user.applicationId, account.identity.mail, manager);
    // Another account has confirmed the mail since.
    if (confirmed && confirmed.id !== account.identity.id) return null;
    const identity = confirmed ?? account.identity;
    const isContested = !identity.isVerified && (await this.pending.isContested(manager, identity));
    const application = await this.applications.getById(user.applicationId, manager);
    return { user, identity, application, link, requires: isContested ? proofOf(user) : null };
  }

  private async isProof(user: User, typed: string): Promise<boolean> {
    if (typed === '') return false;
    if (proofOf(user) === 'password') return this.passwords.verify(user.passwordHash, typed);
    return comparisonKey(typed.trim().replace(/^@/, '')) === user.handleKey;
  }
}

function proofOf({ passwordHash }: User): ConfirmationProof {
  return passwordHash === null ? 'handle' : 'password';
}
