import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Language } from '../../common/languages.js';
import { deliveryAddress } from '../../common/mail-addresses.js';
import { nowSeconds } from '../../common/time.js';
import { Settings } from '../../config/settings.js';
import { OutboxService } from '../../mail/outbox.service.js';
import { ApplicationNamesService } from '../../applications/application-names.service.js';
import type { Application } from '../../applications/application.entity.js';
import type { MailAccount } from '../../users/accounts.service.js';
import type { OneTimeTokenKind } from './one-time-token.entity.js';
import { OneTimeTokensService } from './one-time-tokens.service.js';

/** Whom a mail is for, as they asked for it. */
interface Reader {
  language: Language;
  acceptLanguage: string | undefined;
}

/** Queues mails with links, which prove that their user can read the mailbox. */
@Injectable()
export class LinkMailsService {
  constructor(
    private readonly tokens: OneTimeTokensService,
    private readonly outbox: OutboxService,
    private readonly applicationNames: ApplicationNamesService,
    private readonly settings: Settings,
  ) {}

  /** The link of a pending mail, which expires with it. */
  queueVerification(
    manager: EntityManager,
    account: MailAccount,
    application: Application,
    reader: Reader,
  ): Promise<void> {
    return this.queue(manager, account, application, reader, {
      kind: 'verify-mail',
      template: 'verify-mail',
      path: 'web/mail/verify',
      expiresAt: account.identity.pendingUntil ?? nowSeconds(),
    });
  }

  queueReset(
    manager: EntityManager,
    account: MailAccount,
    application: Application,
    reader: Reader,
  ): Promise<void> {
    return this.queue(manager, account, application, reader, {
      kind: 'reset-password',
      template: 'password-reset',
      path: 'web/password/reset',
      expiresAt: nowSeconds() + this.settings.resetTokenTtlSeconds,
    });
  }

  private async queue(
    manager: EntityManager,
    { user, identity }: MailAccount,
    application: Application,
    { language, acceptLanguage }: Reader,
    mail: {
      kind: OneTimeTokenKind;
      template: 'verify-mail' | 'password-reset';
      path: string;
      expiresAt: number;
    },
  ): Promise<void> {
    const { kind, template, path, expiresAt } = mail;
    const token = await this.tokens.issue(manager, { kind, identityId: identity.id, expiresAt });
    await this.outbox.enqueue(manager, {
      userId: user.id,
      template,
      language,
      recipient: deliveryAddress(identity.mail) ?? identity.mail,
      context: {
        applicationName: await this.applicationNames.displayName(application, acceptLanguage, manager),
        userName: user.name,
        link: `${this.settings.publicUrl}/${path}/${token}`,
        validSeconds: expiresAt - nowSeconds(),
      },
      expiresAt,
    });
  }
}
