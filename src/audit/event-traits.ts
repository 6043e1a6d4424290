import type { SecurityEventType } from '../events/security-events.js';

interface EventTraits {
  /** The account's owner acts, authenticated by password, provider or link instead of an access token. */
  isByOwner: boolean;
  /** The detail is personal data, erased with the account. */
  isPersonal: boolean;
}

const ownersAct: EventTraits = { isByOwner: true, isPersonal: true };
const personal: EventTraits = { isByOwner: false, isPersonal: true };
const administrative: EventTraits = { isByOwner: false, isPersonal: false };

/** Properties of each kind of event. */
export const eventTraits: Record<SecurityEventType, EventTraits> = {
  'account.registered': ownersAct,
  // The detail is only the reason, and an abandoned account is not deleted by its owner.
  'account.deleted': administrative,
  'login.succeeded': ownersAct,
  'login.failed': personal,
  // By the owner or by a thief of the token.
  'refresh.reused': personal,
  'password.reset': ownersAct,
  'password.changed': personal,
  // Also with nothing but a token of the session.
  'session.ended': ownersAct,
  'mail.changed': ownersAct,
  'mail.confirmed': ownersAct,
  'mail.bound': personal,
  'mail.unbound': personal,
  'provider.bound': personal,
  'provider.unbound': personal,
  'role.assigned': administrative,
  'role.changed': administrative,
  'scope.created': administrative,
  'application.created': administrative,
  'application.changed': administrative,
  'client.created': administrative,
  'client.status': administrative,
  'client.changed': administrative,
  'key.rotated': administrative,
  'key.activated': administrative,
};

export const eventTypes = Object.keys(eventTraits) as SecurityEventType[];

/** The kinds of events without personal details, which are kept when the account is deleted. */
export const impersonalTypes = eventTypes.filter((type) => !eventTraits[type].isPersonal);
