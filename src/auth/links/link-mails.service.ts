import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../../common/caller.js';
import type { RequestContext } from '../../common/request-context.js';
import { comparisonKey } from '../../common/text-keys.js';
import { Settings } from '../../config/settings.js';
import { isForeignKeyViolation } from '../../database/constraints.js';
import { Transactions } from '../../database/transactions.js';
import { OutboxService } from '../../mail/outbox.service.js';
import { ApplicationNamesService } from '../../applications/application-names.service.js';
import type { Application } from '../../applications/application.entity.js';
import type { MailAccount } from '../../users/accounts.service.js';
import type { OneTimeTokenKind } from './one-time-token.entity.js';
import { OneTimeTokensService } from './one-time-tokens.service.js';

/** Queues mails with links, which prove that their user can read the mailbox. */
@Injectable()
export class LinkMailsService {
  constructor(
    private readonly transactions: Transactions,
    private readonly tokens: OneTimeTokensService,
    private readonly outbox: OutboxService,
    private readonly applicationNames: ApplicationNamesService,
    private readonly settings: Settings,
  ) {}

  queueVerification(
    manager: EntityManager,
    account: MailAccount,
    application: Application,
    caller: Caller,
  ): Promise<void> {
    return this.queue(manager, account, application, caller, {
      kind: 'verify-mail',
      template: 'verify-mail',
      path: 'web/mail/verify',
      ttlSeconds: this.settings.verifyTokenTtlSeconds,
    });
  }

  queueReset(
    manager: EntityManager,
    account: MailAccount,
    application: Application,
    caller: Caller,
  ): Promise<void> {
    return this.queue(manager, account, application, caller, {
      kind: 'reset-password',
      template: 'password-reset',
      path: 'web/password/reset',
      ttlSeconds: this.settings.resetTokenTtlSeconds,
    });
  }

  /** Queues a mail in its own transaction; does nothing if the account is deleted concurrently. */
  async send(context: RequestContext, queue: (manager: EntityManager) => Promise<void>): Promise<void> {
    try {
      await this.transactions.runFor(context, queue);
    } catch (error) {
      if (!isForeignKeyViolation(error)) throw error;
    }
  }

  private async queue(
    manager: EntityManager,
    { user, identity }: MailAccount,
    application: Application,
    { language, acceptLanguage }: Caller,
    mail: {
      kind: OneTimeTokenKind;
      template: 'verify-mail' | 'password-reset';
      path: string;
      ttlSeconds: number;
    },
  ): Promise<void> {
    const { kind, template, path, ttlSeconds } = mail;
    const { token, expiresAt } = await this.tokens.issue(manager, {
      kind,
      identityId: identity.id,
      ttlSeconds,
    });
    await this.outbox.enqueue(manager, {
      userId: user.id,
      template,
      language,
      recipient: identity.mail,
      context: {
        applicationName: await this.applicationNames.displayName(application, acceptLanguage, manager),
        userName: user.name,
        link: `${this.settings.publicUrl}/${path}/${token}`,
        validSeconds: ttlSeconds,
      },
      expiresAt,
    });
  }
}

/** The key that limits mails of one kind to one address. */
export function recipientKey(kind: OneTimeTokenKind, applicationId: number, mail: string): string {
  return `${kind}:${applicationId}:${comparisonKey(mail)}`;
}
