import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { deliveryAddress } from '../../common/mail-addresses.js';
import { chooseLanguage } from '../../common/languages.js';
import type { Caller } from '../../common/caller.js';
import { nowSeconds } from '../../common/time.js';
import { Settings } from '../../config/settings.js';
import { OutboxService, type NewMail } from '../../mail/outbox.service.js';
import { requestContextOf } from '../../database/transactions.js';
import { ApplicationNamesService } from '../../applications/application-names.service.js';
import type { Application } from '../../applications/application.entity.js';
import type { User } from '../../users/user.entity.js';
import { NoticeLimit } from '../notices/notice-limit.service.js';
import type { MailChange } from './mail-change.entity.js';
import { UNDO_SECONDS } from './mail-change-records.service.js';

interface Subject {
  user: User;
  change: MailChange;
  application: Application;
}

interface Letter {
  template: 'mail-change' | 'mail-change-requested' | 'mail-changed';
  recipient: string;
  path: string;
  validSeconds: number;
  /** As in `Accept-Language`. */
  readersLanguage: string | undefined;
}

/** Of the notices that are limited. */
const REQUESTED = 'mailChangeRequested';

/** Queues the mails about a change of the mail address. */
@Injectable()
export class ChangeMailsService {
  constructor(
    private readonly outbox: OutboxService,
    private readonly applicationNames: ApplicationNamesService,
    private readonly limit: NoticeLimit,
    private readonly settings: Settings,
  ) {}

  /**
   * To the new address the link that confirms it, to the present one the link that stops the change: once an
   * hour at most, since it stops later changes as well.
   */
  async queueRequested(
    manager: EntityManager,
    subject: Subject,
    tokens: { confirm: string; cancel: string },
    { acceptLanguage }: Caller,
  ): Promise<void> {
    const { user, change } = subject;
    const lifetime = this.settings.verifyTokenTtlSeconds;
    await this.queue(manager, subject, {
      template: 'mail-change',
      recipient: change.newMail,
      path: `web/mail/change/${tokens.confirm}`,
      validSeconds: lifetime,
      readersLanguage: acceptLanguage,
    });
    if (!(await this.limit.take(manager, user.id, REQUESTED))) return;
    await this.queue(manager, subject, {
      template: 'mail-change-requested',
      recipient: change.formerMail,
      path: `web/mail/change/undo/${tokens.cancel}`,
      validSeconds: lifetime + UNDO_SECONDS,
      readersLanguage: user.language || acceptLanguage,
    });
  }

  /** Lets the next request send its link within the hour, since that of this one has been used. */
  async allowNext(manager: EntityManager, userId: number): Promise<void> {
    await this.limit.giveBack(manager, userId, REQUESTED);
  }

  /** To the former address, the link that undoes the change. */
  async queueChanged(manager: EntityManager, subject: Subject, undoToken: string): Promise<void> {
    await this.queue(manager, subject, {
      template: 'mail-changed',
      recipient: subject.change.formerMail,
      path: `web/mail/change/undo/${undoToken}`,
      validSeconds: UNDO_SECONDS,
      readersLanguage: subject.user.language || requestContextOf(manager)?.acceptLanguage,
    });
  }

  private async queue(
    manager: EntityManager,
    { user, change, application }: Subject,
    { template, recipient, path, validSeconds, readersLanguage }: Letter,
  ): Promise<void> {
    const mail: NewMail<Letter['template']> = {
      userId: user.id,
      template,
      language: chooseLanguage(readersLanguage),
      recipient: deliveryAddress(recipient) ?? recipient,
      context: {
        applicationName: await this.applicationNames.displayName(application, readersLanguage, manager),
        userName: user.name,
        link: `${this.settings.publicUrl}/${path}`,
        validSeconds,
        newMail: change.newMail,
      },
      expiresAt: nowSeconds() + validSeconds,
    };
    await this.outbox.enqueue(manager, mail);
  }
}
