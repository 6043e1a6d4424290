import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Origin } from '../common/origin.js';
import { execute, type Change } from './statements.js';
import { afterCommit, originOf } from './transactions.js';

/** What the details of each kind of event say; texts only, and never a secret or what somebody typed. */
export interface SecurityEventDetails {
  'account.registered': { method: 'mail' | ProviderName };
  'account.deleted': { reason: 'request' | 'abandoned' };
  'login.succeeded': { method: LoginMethod; device: 'known' | 'new' | '' };
  'login.failed': { method: LoginMethod; reason: 'credentials' | 'unverified' };
  'refresh.reused': { session: string };
  'password.reset': Record<never, never>;
  'mail.confirmed': Record<never, never>;
  'mail.bound': Record<never, never>;
  'mail.unbound': Record<never, never>;
  'provider.bound': { provider: ProviderName };
  'provider.unbound': { provider: ProviderName };
  'role.assigned': { role: string };
  'role.changed': { role: string; change: 'created' | 'scopes' | 'defaultScope' | 'default' };
  'scope.created': { scope: string };
  'application.created': { application: string };
  'application.changed': { change: 'settings' | 'names' };
  'client.created': { client: string };
  'client.status': { client: string; status: string };
  'key.rotated': { kid: string };
}

export type SecurityEventType = keyof SecurityEventDetails;
type ProviderName = 'google' | 'apple' | 'wechat';
type LoginMethod = 'password' | ProviderName;

/** Something that matters to the safety of accounts. */
export type SecurityEvent = {
  [Type in SecurityEventType]: {
    type: Type;
    /** The application that it happened in; null where there is none or it is not known. */
    applicationId: number | null;
    /** The account that it happened to. */
    userId: number | null;
    detail: SecurityEventDetails[Type];
  };
}[SecurityEventType];

/** What somebody who listens has done about an event. */
export interface Reaction {
  /** Goes into the transaction of what happened. */
  changes?: Change[];
  /** Done in that transaction after them, where statements alone do not do; it writes through the manager only. */
  within?: (manager: EntityManager) => Promise<void>;
  /** Done once it is committed. */
  afterCommit?: () => void;
}

/**
 * What it throws undoes the event.
 * @param origin the request that the event is of; null outside requests
 */
type SecurityListener = (event: SecurityEvent, origin: Origin | null) => Reaction;

/** Tells whoever listens (the audit trail, the metrics) of security events. */
@Injectable()
export class SecurityEvents {
  private readonly listeners: SecurityListener[] = [];

  subscribe(listener: SecurityListener): void {
    this.listeners.push(listener);
  }

  /**
   * Publishes an event in the transaction of what happened, so that neither is kept without the other.
   * @throws Error if the manager is not one of `Transactions.runFor`
   */
  async publish(manager: EntityManager, event: SecurityEvent): Promise<void> {
    for (const reaction of this.reactionsTo(event, originOf(manager))) {
      for (const change of reaction.changes ?? []) await execute(manager, change);
      await reaction.within?.(manager);
      if (reaction.afterCommit) afterCommit(manager, reaction.afterCommit);
    }
  }

  /**
   * An event of what is made by statements alone: they are to be made with it, and `afterCommit` is to be called then.
   * @throws Error where somebody who listens needs a transaction
   */
  asChanges(event: SecurityEvent, origin: Origin): { changes: Change[]; afterCommit: () => void } {
    const reactions = this.reactionsTo(event, origin);
    if (reactions.some(({ within }) => within)) throw new Error(`${event.type} is to be published`);
    return {
      changes: reactions.flatMap(({ changes = [] }) => changes),
      afterCommit: () => reactions.forEach((reaction) => reaction.afterCommit?.()),
    };
  }

  private reactionsTo(event: SecurityEvent, origin: Origin | null): Reaction[] {
    return this.listeners.map((listener) => listener(event, origin));
  }
}
