import type { NoticeKind, SignInMethod } from '../../common/views/views.js';
import type { SecurityEvent, SecurityEventType } from '../../events/security-events.js';

/** What the owner of an account is told of an event. */
export interface Notice {
  kind: NoticeKind;
  method: SignInMethod | '';
}

type Told<Type> = (event: Extract<SecurityEvent, { type: Type }>) => Notice | null;

/** The events that change the ways to sign in, or end a session for theft. */
const told: { [Type in SecurityEventType]?: Told<Type> } = {
  'mail.confirmed': () => ({ kind: 'bindingAdded', method: 'mail' }),
  'provider.bound': ({ detail }) => ({ kind: 'bindingAdded', method: detail.provider }),
  // A mail that was never confirmed was no way to sign in.
  'mail.unbound': ({ formerMail }) =>
    formerMail === undefined ? null : { kind: 'bindingRemoved', method: 'mail' },
  'provider.unbound': ({ detail }) => ({ kind: 'bindingRemoved', method: detail.provider }),
  'password.changed': () => ({ kind: 'passwordChanged', method: '' }),
  'password.reset': () => ({ kind: 'passwordChanged', method: '' }),
  'refresh.reused': () => ({ kind: 'sessionStolen', method: '' }),
  'mail.changed': ({ detail }) => (detail.step === 'confirmed' ? { kind: 'mailChanged', method: '' } : null),
};

/** Null for events that the owner is not told of. */
export function noticeOf(event: SecurityEvent): Notice | null {
  const tell = told[event.type] as Told<SecurityEventType> | undefined;
  return tell?.(event) ?? null;
}
