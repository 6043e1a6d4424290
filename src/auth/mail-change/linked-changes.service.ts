import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { SecurityEvents } from '../../events/security-events.js';
import { OutboxService } from '../../mail/outbox.service.js';
import type { Application } from '../../applications/application.entity.js';
import { ApplicationsService } from '../../applications/applications.service.js';
import { AccountsService } from '../../users/accounts.service.js';
import type { Identity } from '../../users/identity.entity.js';
import { MailIdentitiesService } from '../../users/mail-identities.service.js';
import type { User } from '../../users/user.entity.js';
import { OneTimeTokensService } from '../links/one-time-tokens.service.js';
import type { MailChange } from './mail-change.entity.js';

/** A change with the account that it is about. */
export interface LinkedChange {
  change: MailChange;
  user: User;
  /** The account's mail, confirmed or not; null if it has been unbound. */
  identity: Identity | null;
  application: Application;
}

/** What making and undoing a change of a mail address have in common. */
@Injectable()
export class LinkedChanges {
  constructor(
    private readonly accounts: AccountsService,
    private readonly applications: ApplicationsService,
    private readonly mails: MailIdentitiesService,
    private readonly tokens: OneTimeTokensService,
    private readonly outbox: OutboxService,
    private readonly events: SecurityEvents,
  ) {}

  /** @returns null if the account has been deleted */
  async of(change: MailChange | null, manager?: EntityManager): Promise<LinkedChange | null> {
    const user = change && (await this.accounts.find(change.userId, manager));
    if (!user) return null;
    const identity = await this.accounts.mailOf(user.id, manager);
    return {
      change,
      user,
      identity,
      application: await this.applications.getById(user.applicationId, manager),
    };
  }

  /** Whether no other account has confirmed the address. */
  async isFree(
    manager: EntityManager,
    { id, applicationId }: Pick<User, 'id' | 'applicationId'>,
    mail: string,
  ): Promise<boolean> {
    const owner = await this.mails.find(applicationId, mail, manager);
    return !owner?.isVerified || owner.userId === id;
  }

  /** Links to the account's mail no longer work, whatever address they were sent to. */
  async revokeLinks(manager: EntityManager, { id, userId }: Identity): Promise<void> {
    await this.tokens.revokeAll(manager, id);
    await this.outbox.withdraw(manager, userId, ['verify-mail', 'password-reset', 'mail-change']);
  }

  async publish(
    manager: EntityManager,
    { id: userId, applicationId }: User,
    step: 'requested' | 'confirmed' | 'stopped' | 'undone',
    formerMail?: string,
  ): Promise<void> {
    const detail = { step };
    await this.events.publish(manager, { type: 'mail.changed', applicationId, userId, detail, formerMail });
  }
}

export function confirmedMail({ identity }: LinkedChange): Identity | null {
  return identity?.isVerified === true ? identity : null;
}
