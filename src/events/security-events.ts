import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { RequestContext } from '../common/request-context.js';
import { requestContextOf } from '../database/transactions.js';

/** The details of each kind of event; only strings, and never a secret or user input. */
export interface SecurityEventDetails {
  'account.registered': { method: 'mail' | ProviderName };
  'account.deleted': { reason: 'request' | 'abandoned' };
  'login.succeeded': { method: LoginMethod; device: 'known' | 'new' | '' };
  'login.failed': { method: LoginMethod; reason: 'credentials' | 'unverified' };
  'refresh.reused': { session: string };
  'password.reset': Record<never, never>;
  'password.changed': Record<never, never>;
  /** By its owner: the id, or `others` for all but the one that asked. */
  'session.ended': { session: string };
  /** The step of a change to another address: asked for, confirmed, or stopped or undone by its owner. */
  'mail.changed': { step: 'requested' | 'confirmed' | 'stopped' | 'undone' };
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
  'client.changed': { client: string; change: 'applications' };
  'key.rotated': { kid: string };
  'key.activated': { kid: string };
}

export type SecurityEventType = keyof SecurityEventDetails;
type ProviderName = 'google' | 'apple' | 'wechat';
type LoginMethod = 'password' | ProviderName;

/** An event relevant to the security of accounts. */
export type SecurityEvent = {
  [Type in SecurityEventType]: {
    type: Type;
    /** The application where it happened; null if there is none or it is unknown. */
    applicationId: number | null;
    /** The affected account. */
    userId: number | null;
    detail: SecurityEventDetails[Type];
    /** A confirmed mail address that the account no longer has; only for notices, never recorded. */
    formerMail?: string | undefined;
  };
}[SecurityEventType];

/**
 * Handles an event in its transaction, only through the manager; an error rolls the event back. Work for
 * after the commit goes into `afterCommit(manager, …)`.
 * @param context the request that the event belongs to; null outside requests
 */
type SecurityListener = (
  manager: EntityManager,
  event: SecurityEvent,
  context: RequestContext | null,
) => Promise<void> | void;

/** Publishes security events to the audit trail and the metrics. */
@Injectable()
export class SecurityEvents {
  private readonly listeners: SecurityListener[] = [];

  subscribe(listener: SecurityListener): void {
    this.listeners.push(listener);
  }

  /**
   * Publishes an event in the transaction of what happened, so that either both are stored or none.
   * @throws Error if the manager is not from `Transactions.runFor`
   */
  async publish(manager: EntityManager, event: SecurityEvent): Promise<void> {
    const context = requestContextOf(manager);
    for (const listener of this.listeners) await listener(manager, event, context);
  }
}
