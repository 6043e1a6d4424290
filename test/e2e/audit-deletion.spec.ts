import { AuditEvent } from '../../src/audit/audit-event.entity.js';
import { AuditTrailService } from '../../src/audit/audit-trail.service.js';
import { nowSeconds } from '../../src/common/time.js';
import { User } from '../../src/users/user.entity.js';
import { addEvents, type Recorded } from '../support/audit.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { nextNumber } from '../support/client.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import {
  ADDRESS,
  admin,
  adminId,
  app,
  desk,
  FROM,
  google,
  list,
  newPerson,
  ofAccount,
  send,
  useAuditRecords,
} from '../support/audit-records.js';

useAuditRecords();

const DAY_SECONDS = 24 * 60 * 60;
const MONTH_SECONDS = 30 * DAY_SECONDS;

const tidyUp = () => app.app.get(AuditTrailService).purgeExpired(new AbortController().signal);

async function tidyUpIn(seconds: number): Promise<void> {
  passSeconds(seconds);
  await tidyUp();
  passSeconds(-seconds);
}

beforeEach(() => freezeClock());
afterEach(thawClock);

describe('the deletion of an account', () => {
  it('blanks request ids that its owner chose', async () => {
    const { id, caller } = await newPerson();
    const chosen = `jane-doe-${nextNumber()}`;
    const options = { headers: { ...FROM, 'x-request-id': chosen }, body: { type: 'mail' } };
    const unbound = await caller.request('POST', '/v1/user/unbinding', options);
    expect(unbound.code).toBe(2010);
    await addEvents(app, 1, { userId: id, actorId: id, type: 'mail.bound', requestId: chosen });
    expect((await list({ request_id: chosen })).events).toHaveLength(1);
    expectOk(await caller.request('POST', '/v1/user/delete', { headers: FROM }));
    expect((await list({ request_id: chosen })).events).toEqual([]);
    expect((await ofAccount(id)).map(({ request_id }) => request_id)).toEqual([
      expect.stringMatching(/^[0-9a-f-]{36}$/),
      '',
    ]);
  });

  it('of an account with a long trail is completed by housekeeping', async () => {
    const { id, caller } = await newPerson();
    await addEvents(app, 1203, {
      userId: id,
      actorId: id,
      type: 'mail.bound',
      address: ADDRESS,
      detail: { method: 'x' },
    });
    expectOk(await caller.request('POST', '/v1/user/delete', { headers: FROM }));
    const events = () => app.dataSource.manager.findBy(AuditEvent, { userId: id });
    const details = async () => (await events()).filter(({ detail }) => detail.method === 'x').length;
    const addresses = async () => (await events()).filter(({ address }) => address === ADDRESS).length;
    expect(await details()).toBeGreaterThan(600);
    await tidyUp();
    expect(await details()).toBe(0);
    expect(await addresses()).toBe(1204);
    await tidyUpIn(MONTH_SECONDS + 1);
    expect(await addresses()).toBe(0);
  });

  it('blanks its personal details everywhere, its addresses later, and keeps what was done', async () => {
    const [gone, other] = [await newPerson(), await newPerson()];
    for (const { caller } of [gone, other]) {
      const googleAccount = { type: 'google', id_token: await google.idToken() };
      expectOk(await send(caller, 'POST', '/v1/user/binding', googleAccount));
      const client = { key: `tool${nextNumber()}`, secret: 'yO9QkXG2sV_0dT7rLwB3-A' };
      const redirect_uri = 'https://tool.example/back';
      expectOk(await send(caller, 'POST', '/v1/oauth/client', { ...client, redirect_uri }));
    }
    await addEvents(app, 1, {
      type: 'role.changed',
      actorId: gone.id,
      address: ADDRESS,
      detail: { role: 'x' },
    });
    await addEvents(app, 1, {
      type: 'refresh.reused',
      userId: gone.id,
      address: ADDRESS,
      detail: { session: 's' },
    });
    await addEvents(app, 1, { type: 'login.failed', address: ADDRESS, requestId: 'failed-login' });
    const before = [await ofAccount(gone.id), await ofAccount(other.id)];
    expect(before.map((events) => events.length)).toEqual([3, 2]);
    expectOk(await send(gone.caller, 'POST', '/v1/user/delete'));

    const addressesOf = async (filter: Record<string, string | number>) =>
      (await list(filter)).events.map(({ address }) => address);
    expect(new Set(await addressesOf({ user_id: gone.id }))).toEqual(new Set([ADDRESS]));
    await tidyUpIn(MONTH_SECONDS - 1);
    expect(await addressesOf({ actor_id: gone.id, type: 'role.changed' })).toEqual([ADDRESS]);
    expect(new Set(await addressesOf({ user_id: gone.id }))).toEqual(new Set([ADDRESS]));
    await tidyUpIn(MONTH_SECONDS);

    const events = await ofAccount(gone.id);
    const told = events.map(({ type, address, detail }) => [type, address, detail]);
    expect(told).toEqual([
      ['account.deleted', '', { reason: 'request' }],
      ['refresh.reused', '', {}],
      ['client.created', '', { client: expect.any(String) }],
      ['provider.bound', '', {}],
    ]);
    const kept = ({ id, at, request_id, user_id, actor }: Recorded) => [id, at, request_id, user_id, actor];
    expect(events.slice(1).map(kept)).toEqual(before[0]!.map(kept));
    expect((await list({ actor_id: gone.id, type: 'role.changed' })).events).toMatchObject([
      { address: '', detail: { role: 'x' } },
    ]);

    expect(await ofAccount(other.id)).toEqual(before[1]);
    expect((await list({ request_id: 'failed-login' })).events).toMatchObject([{ address: ADDRESS }]);
  });

  it('that fails blanks nothing', async () => {
    const scope = { app_id: desk.id, name: 'kept' };
    expectOk(await send(admin, 'POST', '/v1/rbac/scope/create', scope));
    const { events: before } = await list({ actor_id: adminId, limit: 200 });
    expect(before.some(({ address }) => address === ADDRESS)).toBe(true);
    const others = (await list({ type: 'role.assigned' })).events.filter(
      ({ detail }) => detail.role === 'admin',
    );
    for (const { user_id } of others)
      if (user_id !== adminId) await app.dataSource.manager.delete(User, { id: user_id });
    expectFailure(await send(admin, 'POST', '/v1/user/delete'), 403, 1002);
    expect((await list({ actor_id: adminId, limit: 200 })).events).toEqual(before);
  });

  it('is completed for events recorded concurrently', async () => {
    const { caller, id } = await newPerson();
    expectOk(await send(caller, 'POST', '/v1/user/delete'));
    await addEvents(app, 1, {
      type: 'scope.created',
      actorId: id,
      address: ADDRESS,
      detail: { scope: 'late' },
    });
    await addEvents(app, 1, {
      type: 'login.failed',
      userId: id,
      address: ADDRESS,
      detail: { method: 'password' },
    });
    await tidyUpIn(MONTH_SECONDS + 1);
    expect((await list({ actor_id: id, type: 'scope.created' })).events).toMatchObject([
      { address: '', detail: { scope: 'late' } },
    ]);
    expect((await list({ user_id: id, type: 'login.failed' })).events).toMatchObject([
      { address: '', detail: {} },
    ]);
  });
});

describe('AUDIT_ADDRESS_RETENTION', () => {
  let strict: TestApp;
  beforeAll(async () => (strict = await startTestApp({ env: { AUDIT_ADDRESS_RETENTION: '0' }, on: app })));
  afterAll(() => strict.stop());

  it('of 0 blanks addresses with the account', async () => {
    const { id, caller } = await newPerson();
    await addEvents(app, 1, { type: 'refresh.reused', userId: id, address: ADDRESS });
    const { token } = caller;
    expectOk(await strict.client.post('/v1/user/delete', undefined, { token }));
    expect((await ofAccount(id)).map(({ address }) => address)).toEqual(['', '']);
  });

  it('that became shorter is for accounts that were deleted long ago, too', async () => {
    const { id, caller } = await newPerson();
    expectOk(await send(caller, 'POST', '/v1/user/delete'));
    await app.dataSource.manager.update(
      AuditEvent,
      { userId: id, type: 'account.deleted' },
      { createdAt: nowSeconds() - 90 * DAY_SECONDS },
    );
    expect((await ofAccount(id)).map(({ address }) => address)).toEqual([ADDRESS]);
    await strict.app.get(AuditTrailService).purgeExpired(new AbortController().signal);
    expect((await ofAccount(id)).map(({ address }) => address)).toEqual(['']);
  });
});

describe('the retention', () => {
  it('deletes all events older than AUDIT_RETENTION_DAYS and nothing else', async () => {
    const { manager } = app.dataSource;
    const limit = nowSeconds() - 180 * DAY_SECONDS;
    const userId = 920_001;
    const young = await addEvents(app, 3, { userId, createdAt: limit + 60 });
    await addEvents(app, 1203, (index) => ({ userId, createdAt: limit - 1 - index }));
    const others = await manager.count(AuditEvent);
    await Promise.all([
      app.app.get(AuditTrailService).purgeExpired(new AbortController().signal),
      app.app.get(AuditTrailService).purgeExpired(new AbortController().signal),
    ]);
    const left = await manager.find(AuditEvent, { where: { userId }, order: { id: 'ASC' } });
    expect(left.map(({ id }) => id)).toEqual(young);
    expect(await manager.count(AuditEvent)).toBe(others - 1203);
  });
});
