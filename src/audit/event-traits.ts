import type { SecurityEventType } from '../events/security-events.js';

interface EventTraits {
  /** Done by the account's owner, who proves it by password, provider or link and bears no token yet. */
  isByOwner: boolean;
  /** Its detail says something of the account's owner, and goes with the account. */
  isPersonal: boolean;
}

const ownersAct: EventTraits = { isByOwner: true, isPersonal: true };
const personal: EventTraits = { isByOwner: false, isPersonal: true };
const administrative: EventTraits = { isByOwner: false, isPersonal: false };

/** What the trail has to know of each kind of event. */
export const eventTraits: Record<SecurityEventType, EventTraits> = {
  'account.registered': ownersAct,
  // Says only why; and who makes an abandoned account go is somebody else.
  'account.deleted': administrative,
  'login.succeeded': ownersAct,
  'login.failed': personal,
  // By whoever had the token: the owner, or who took it.
  'refresh.reused': personal,
  'password.reset': ownersAct,
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
  'key.rotated': administrative,
};

export const eventTypes = Object.keys(eventTraits) as SecurityEventType[];

/** The kinds of events whose details say nothing of anybody; those of any other go with the account. */
export const impersonalTypes = eventTypes.filter((type) => !eventTraits[type].isPersonal);
