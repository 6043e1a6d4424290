import { actorOf } from '../../src/audit/audit-actor.js';
import { decodeCursor, encodeCursor } from '../../src/audit/audit-cursor.js';
import type { Actor } from '../../src/common/request-context.js';
import type { SecurityEventType } from '../../src/events/security-events.js';

describe('actorOf', () => {
  /** The actor named for an event of account 7. */
  function named(
    type: SecurityEventType,
    { bearer = null, userId = 7 }: { bearer?: Actor | null; userId?: number | null },
  ) {
    return actorOf({ type, userId }, { actor: bearer }, 'cli');
  }
  const user = (actorId: number) => ({ actorKind: 'user', actorId, actorClient: null });
  const anonymous = { actorKind: 'anonymous', actorId: null, actorClient: null };

  it.each(['account.registered', 'login.succeeded', 'password.reset', 'mail.confirmed'] as const)(
    'names the account itself for %s before there is a token',
    (type) => expect(named(type, {})).toEqual(user(7)),
  );

  it.each(['login.failed', 'refresh.reused', 'account.deleted', 'role.assigned'] as const)(
    'names nobody for %s without a token, though it happens to an account',
    (type) => expect(named(type, {})).toEqual(anonymous),
  );

  it('names nobody for a login to no account', () => {
    expect(named('login.succeeded', { userId: null })).toEqual(anonymous);
  });

  it("names the token's bearer rather than the affected account", () => {
    expect(named('role.assigned', { bearer: { userId: 3, clientKey: null } })).toEqual(user(3));
    expect(named('mail.confirmed', { bearer: { userId: 3, clientKey: null } })).toEqual(user(3));
  });

  it('names a client with the account that it acts for, or alone', () => {
    const client = { actorKind: 'client', actorClient: 'desk' };
    expect(named('scope.created', { bearer: { userId: 3, clientKey: 'desk' } })).toEqual({
      ...client,
      actorId: 3,
    });
    expect(named('scope.created', { bearer: { userId: 0, clientKey: 'desk' } })).toEqual({
      ...client,
      actorId: null,
    });
  });

  it.each(['cli', 'system'] as const)('names the %s outside requests', (outside) => {
    const nobody = { actorKind: outside, actorId: null, actorClient: null };
    expect(actorOf({ type: 'account.registered', userId: 7 }, null, outside)).toEqual(nobody);
  });
});

describe('a cursor', () => {
  it('survives encoding and decoding', () => {
    const place = { createdAt: 1795651200, id: 42 };
    expect(encodeCursor(place)).toBe('MTc5NTY1MTIwMC40Mg');
    expect(decodeCursor(encodeCursor(place))).toEqual(place);
  });

  it.each(['', '1', '1.', '.1', '1.2.3', '-1.2', '1e3.2', '1.2\n', '12345678901.1'])(
    'is not what %j is written as',
    (text) => expect(decodeCursor(Buffer.from(text).toString('base64url'))).toBeNull(),
  );
});
