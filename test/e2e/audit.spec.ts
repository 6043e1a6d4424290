import { AuditEvent } from '../../src/audit/audit-event.entity.js';
import { AuditTrailService } from '../../src/audit/audit-trail.service.js';
import { RegistrationService } from '../../src/auth/registration.service.js';
import { nowSeconds } from '../../src/common/time.js';
import { SecurityEvents } from '../../src/database/security-events.js';
import { Transactions } from '../../src/database/transactions.js';
import { Scope } from '../../src/rbac/scope.entity.js';
import { Identity } from '../../src/users/identity.entity.js';
import { User } from '../../src/users/user.entity.js';
import { registration, type TestAccount } from '../support/accounts.js';
import {
  Caller,
  firstAdministrator,
  strangers,
  strangersTokens,
  type Stranger,
} from '../support/administration.js';
import { openSession } from '../support/sessions.js';
import { ADMIN, startTestApp, type TestApp } from '../support/app.js';
import { addApplication, type TestApplication } from '../support/applications.js';
import { addEvents, readAudit, type Recorded } from '../support/audit.js';
import { nextNumber, type Answer } from '../support/client.js';
import { environmentOf, runPluto } from '../support/command-line.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { FakeGoogle } from '../support/google.js';
import { addClient, getTokens } from '../support/oauth.js';
import { decodeToken } from '../support/tokens.js';
import { addUser } from '../support/users.js';

const ADDRESS = '203.0.113.9';
const FROM = { 'x-forwarded-for': ADDRESS };
const DAY_SECONDS = 24 * 60 * 60;

let google: FakeGoogle;
let app: TestApp;
let admin: Caller;
let adminId: number;
let desk: TestApplication;
/** What people typed and the trail must not hold. */
const typed: string[] = [ADMIN.mail, ADMIN.password];

beforeAll(async () => {
  google = await FakeGoogle.start();
  app = await startTestApp({ env: { ...google.env, TRUST_PROXY: '127.0.0.1' } });
  admin = await firstAdministrator(app);
  adminId = decodeToken(admin.token).claims.sub;
  desk = await addApplication(app, { name: 'org.example.desk', roles: { guest: ['look', 'touch'] } });
});
afterAll(async () => {
  await app.close();
  await google.close();
});

const list = (query: Record<string, string | number> = {}) => readAudit(admin, query);

/** Everything recorded of an account, newest first. */
const ofAccount = async (userId: number) => (await list({ user_id: userId })).events;

/** A request from the address that the records are to name. */
function send(caller: Caller, method: string, path: string, body?: unknown): Promise<Answer> {
  return caller.request(method, path, { headers: FROM, ...(body !== undefined && { body }) });
}

async function recordedFor(answer: Answer): Promise<Recorded[]> {
  return (await list({ request_id: answer.headers.get('x-request-id') ?? '' })).events;
}

/** Asserts that a request succeeded and that this, and nothing else, was recorded of it. */
async function expectRecorded(answer: Answer, ...events: Partial<Recorded>[]): Promise<Recorded | undefined> {
  expect([answer.status, answer.code]).toEqual([200, 0]);
  const recorded = await recordedFor(answer);
  expect(recorded).toEqual(
    events.map((event) => ({
      id: expect.any(Number),
      at: expect.any(Number),
      app_id: '',
      user_id: 0,
      actor: { kind: 'user', user_id: adminId, client: '' },
      address: ADDRESS,
      request_id: answer.headers.get('x-request-id'),
      detail: {},
      ...event,
    })),
  );
  for (const { at } of recorded) expect(Math.abs(at - nowSeconds())).toBeLessThan(30);
  return recorded[0];
}

interface Person {
  id: number;
  account: TestAccount;
  caller: Caller;
  /** As the records name them. */
  actor: Recorded['actor'];
}

/** A confirmed account, signed in without its password. */
async function newPerson(applicationId?: number, app_id = 'pluto'): Promise<Person> {
  const account = registration({ app_id });
  typed.push(account.mail, account.user_id, account.name);
  const id = await addUser(app, {
    handle: account.user_id,
    name: account.name,
    identities: [{ loginType: 'mail', mail: account.mail }],
    ...(applicationId !== undefined && { applicationId }),
  });
  const { accessToken } = await openSession(app, id, app_id);
  const caller = new Caller(app.client, accessToken);
  return { id, account, caller, actor: { kind: 'user', user_id: id, client: '' } };
}

/** An account that has an account at Google alone. */
async function newGooglePerson(): Promise<Person> {
  const person = await newPerson();
  await app.dataSource.manager.delete(Identity, { userId: person.id });
  const googleAccount = { type: 'google', id_token: await google.idToken() };
  expectOk(await person.caller.post('/v1/user/binding', googleAccount));
  return person;
}

/** Registers without confirming. @returns the account's id */
async function register(account: TestAccount): Promise<number> {
  typed.push(account.mail, account.user_id, account.name, account.password);
  expectOk(await app.client.post('/v1/user/register', account));
  const { id } = await app.dataSource.manager.findOneByOrFail(User, { handle: account.user_id });
  return id;
}

describe('the audit trail records of administrators', () => {
  it('a new application', async () => {
    const name = `org.example.shop${nextNumber()}`;
    const answer = await send(admin, 'POST', '/v1/rbac/application/create', { name });
    await expectRecorded(answer, {
      type: 'application.created',
      app_id: name,
      detail: { application: name },
    });
  });

  it('names and settings of an application', async () => {
    const names = await send(admin, 'POST', '/v1/rbac/application/update-i18n-name', {
      app_id: desk.id,
      i18n_names: [{ tag: 'en', i18n_name: 'The Desk' }],
    });
    typed.push('The Desk');
    const event = { type: 'application.changed', app_id: desk.name };
    await expectRecorded(names, { ...event, detail: { change: 'names' } });

    const secret = `wechat-secret-${nextNumber()}`;
    typed.push(secret, 'wx123');
    const change = { app_id: desk.id, wechat_app_id: 'wx123', wechat_app_secret: secret };
    const settings = await send(admin, 'PUT', '/v1/rbac/application/settings', change);
    await expectRecorded(settings, { ...event, detail: { change: 'settings' } });
  });

  it('a new scope', async () => {
    const answer = await send(admin, 'POST', '/v1/rbac/scope/create', { app_id: desk.id, name: 'lift' });
    await expectRecorded(answer, { type: 'scope.created', app_id: desk.name, detail: { scope: 'lift' } });
  });

  it('a role that is made, given scopes, a default scope, and made the default', async () => {
    const event = { type: 'role.changed', app_id: desk.name };
    const made = await send(admin, 'POST', '/v1/rbac/role/create', { app_id: desk.id, name: 'agent' });
    await expectRecorded(made, { ...event, detail: { role: 'agent', change: 'created' } });

    const role_id = made.body.id as number;
    const scope = desk.scopes.look!;
    const scopes = await send(admin, 'PUT', '/v1/rbac/role/scope', { role_id, scopes: [scope] });
    await expectRecorded(scopes, { ...event, detail: { role: 'agent', change: 'scopes' } });

    const standard = { role_id, scope_id: scope };
    const defaultScope = await send(admin, 'PUT', '/v1/rbac/role/scope/default', standard);
    await expectRecorded(defaultScope, { ...event, detail: { role: 'agent', change: 'defaultScope' } });

    const role = { app_id: desk.id, role_id };
    const defaultRole = await send(admin, 'POST', '/v1/rbac/application/role/default', role);
    await expectRecorded(defaultRole, { ...event, detail: { role: 'agent', change: 'default' } });
  });

  it('the same by the methods that the admin app uses', async () => {
    const role = { type: 'role.changed', app_id: desk.name };
    const [role_id, scope_id] = [desk.roles.guest, desk.scopes.look!];
    const body = { role_id, scopes: [scope_id, desk.scopes.touch!] };
    const scopes = await send(admin, 'POST', '/v1/rbac/role/scope', body);
    await expectRecorded(scopes, { ...role, detail: { role: 'guest', change: 'scopes' } });
    const standard = await send(admin, 'POST', '/v1/rbac/role/scope/default', { role_id, scope_id });
    await expectRecorded(standard, { ...role, detail: { role: 'guest', change: 'defaultScope' } });
  });

  it('the role of a user', async () => {
    const { id } = await newPerson(desk.id, desk.name);
    const body = { user_id: id, app_id: desk.id, role_id: desk.roles.guest };
    const answer = await send(admin, 'POST', '/v1/rbac/user/application/role', body);
    await expectRecorded(answer, {
      type: 'role.assigned',
      app_id: desk.name,
      user_id: id,
      detail: { role: 'guest' },
    });
  });

  it('the status of a client', async () => {
    const { key } = await addClient(app, { status: 'pend' });
    const owner = (await list({ type: 'client.created', limit: 1 })).events[0]!.user_id;
    for (const status of ['approved', 'denied']) {
      const answer = await send(admin, 'PUT', '/v1/oauth/client/status', { key, status });
      const detail = { client: key, status };
      await expectRecorded(answer, { type: 'client.status', user_id: owner, detail });
    }
  });

  it('what a client does with their token, as done by the client', async () => {
    const client = await addClient(app);
    const { access_token } = await getTokens(app, client, {
      grant_type: 'password',
      user: ADMIN.mail,
      password: ADMIN.password,
      app_id: 'pluto',
      scopes: 'pluto.admin',
    });
    const caller = new Caller(app.client, access_token);
    const answer = await send(caller, 'POST', '/v1/rbac/scope/create', { app_id: desk.id, name: 'push' });
    await expectRecorded(answer, {
      type: 'scope.created',
      app_id: desk.name,
      actor: { kind: 'client', user_id: adminId, client: client.key },
      detail: { scope: 'push' },
    });
  });

  it('nothing of what is refused', async () => {
    const role = { app_id: desk.id, name: 'guest' };
    const refused = [
      await send(admin, 'POST', '/v1/rbac/role/create', role),
      await send(admin, 'POST', '/v1/rbac/scope/create', { app_id: desk.id, name: 'look' }),
      await send(admin, 'POST', '/v1/rbac/application/create', { name: desk.name }),
      await send(admin, 'PUT', '/v1/rbac/role/scope', { role_id: desk.roles.guest, scopes: [2_000_000] }),
      await send(admin, 'PUT', '/v1/oauth/client/status', { key: 'nobody', status: 'denied' }),
    ];
    expect(refused.map(({ code }) => code)).toEqual([4006, 4001, 4004, 4002, 5005]);
    for (const answer of refused) expect(await recordedFor(answer)).toEqual([]);
  });
});

describe('the audit trail records of users', () => {
  it('a client that they register', async () => {
    const { caller, id, actor } = await newPerson();
    const client = { key: `tool${nextNumber()}`, secret: 'secret-of-the-tool' };
    typed.push(client.secret, 'https://tool.example/back');
    const body = { ...client, redirect_uri: 'https://tool.example/back' };
    const answer = await send(caller, 'POST', '/v1/oauth/client', body);
    await expectRecorded(answer, {
      type: 'client.created',
      user_id: id,
      actor,
      detail: { client: client.key },
    });
  });

  it('an account at a provider that is bound and unbound', async () => {
    const { caller, id, actor } = await newPerson();
    const event = { app_id: 'pluto', user_id: id, actor, detail: { provider: 'google' } };
    const id_token = await google.idToken();
    const bound = await send(caller, 'POST', '/v1/user/binding', { type: 'google', id_token });
    await expectRecorded(bound, { ...event, type: 'provider.bound' });
    const unbound = await send(caller, 'POST', '/v1/user/unbinding', { type: 'google' });
    await expectRecorded(unbound, { ...event, type: 'provider.unbound' });
  });

  it('a mail that is bound, exchanged, confirmed by its link, and unbound', async () => {
    const { caller, id, actor } = await newGooglePerson();
    const event = { app_id: 'pluto', user_id: id, actor };
    const [mistyped, mail] = [registration().mail, registration().mail];
    typed.push(mistyped, mail);
    const bind = (address: string) =>
      send(caller, 'POST', '/v1/user/binding', { type: 'mail', mail: address });

    await expectRecorded(await bind(mistyped), { ...event, type: 'mail.bound' });
    await expectRecorded(await bind(mistyped));
    await expectRecorded(
      await bind(mail),
      { ...event, type: 'mail.bound' },
      { ...event, type: 'mail.unbound' },
    );

    const link = await app.mailbox.linkTo(mail);
    await expectRecorded(await app.client.submit(link, {}, FROM), { ...event, type: 'mail.confirmed' });

    const unbound = await send(caller, 'POST', '/v1/user/unbinding', { type: 'mail' });
    await expectRecorded(unbound, { ...event, type: 'mail.unbound' });
  });

  it('the deletion of an account, without its address', async () => {
    const { caller, id, actor } = await newPerson(desk.id, desk.name);
    const answer = await send(caller, 'POST', '/v1/user/delete');
    await expectRecorded(answer, {
      type: 'account.deleted',
      app_id: desk.name,
      user_id: id,
      actor,
      address: '',
      detail: { reason: 'request' },
    });
  });

  it('an unconfirmed account that goes when its mail is registered again, as done by nobody known', async () => {
    const account = registration();
    const id = await register(account);
    await register({ ...registration(), mail: account.mail });
    expect((await ofAccount(id))[0]).toMatchObject({
      type: 'account.deleted',
      actor: { kind: 'anonymous', user_id: 0, client: '' },
      detail: { reason: 'abandoned' },
    });
  });

  it('an unconfirmed mail that goes when another registers it, while its account stays', async () => {
    const { caller, id } = await newGooglePerson();
    const account = registration();
    expectOk(await caller.post('/v1/user/binding', { type: 'mail', mail: account.mail }));
    await register(account);
    expect((await ofAccount(id))[0]).toMatchObject({
      type: 'mail.unbound',
      actor: { kind: 'anonymous', user_id: 0, client: '' },
    });
    expect(await app.dataSource.manager.existsBy(User, { id })).toBe(true);
  });
});

describe('the audit trail records without a request', () => {
  const nobody = { address: '', request_id: '' };

  it('what the first start makes, as done by the system', async () => {
    const actor = { kind: 'system', user_id: 0, client: '' };
    const event = { app_id: 'pluto', actor, ...nobody };
    const { events } = await list({ user_id: adminId });
    expect(events.filter(({ actor: { kind } }) => kind === 'system')).toMatchObject([
      { ...event, type: 'role.assigned', detail: { role: 'admin' } },
      { ...event, type: 'account.registered', detail: { method: 'mail' } },
    ]);
    expect((await list({ type: 'application.created', app_id: 'pluto' })).events).toMatchObject([
      { ...event, user_id: 0, detail: { application: 'pluto' } },
    ]);
  });

  it('what housekeeping deletes, as done by the system', async () => {
    const id = await register(registration());
    const { manager } = app.dataSource;
    await manager.update(Identity, { userId: id }, { createdAt: 0 });
    await manager.query('UPDATE one_time_tokens SET expires_at = 0');
    await app.app.get(RegistrationService).purgeAbandoned(new AbortController().signal);
    expect((await ofAccount(id))[0]).toMatchObject({
      type: 'account.deleted',
      actor: { kind: 'system', user_id: 0, client: '' },
      ...nobody,
      detail: { reason: 'abandoned' },
    });
  });

  it('what commands do, as done at the command line', async () => {
    const actor = { kind: 'cli', user_id: 0, client: '' };
    const pluto = (...args: string[]) => runPluto(args, { env: environmentOf(app), cwd: app.dataDir });
    typed.push('ann@example.com', 'annes-handle');
    const outcomes = [
      await pluto('keys', 'rotate'),
      await pluto('admin', 'create', 'ann@example.com', '--handle', 'annes-handle'),
    ];
    expect(outcomes.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ''],
      [0, ''],
    ]);
    const kid = /^(\S+) +next/m.exec(outcomes[0]!.stdout)![1];
    expect((await list({ type: 'key.rotated', limit: 1 })).events).toMatchObject([
      { app_id: '', user_id: 0, actor, ...nobody, detail: { kid } },
    ]);
    const { id } = await app.dataSource.manager.findOneByOrFail(User, { handle: 'annes-handle' });
    expect(await ofAccount(id)).toMatchObject([
      { type: 'role.assigned', app_id: 'pluto', actor, ...nobody, detail: { role: 'admin' } },
      { type: 'account.registered', app_id: 'pluto', actor, ...nobody, detail: { method: 'mail' } },
    ]);
  });
});

describe('an event', () => {
  it('is refused, and what happened with it, where nobody has said on whose behalf that is', async () => {
    const [transactions, events] = [app.app.get(Transactions), app.app.get(SecurityEvents)];
    const count = () => app.dataSource.manager.count(AuditEvent);
    const before = await count();
    const scope = { applicationId: desk.id, name: 'orphan', nameKey: 'orphan', createdAt: nowSeconds() };
    const work = transactions.run(async (manager) => {
      await manager.insert(Scope, scope);
      const detail = { scope: 'orphan' };
      await events.publish(manager, { type: 'scope.created', applicationId: desk.id, userId: null, detail });
    });
    await expect(work).rejects.toThrow('Nobody has said on whose behalf');
    expect(await count()).toBe(before);
    expect(await app.dataSource.manager.existsBy(Scope, { name: 'orphan' })).toBe(false);
  });
});

describe('an event and what happened', () => {
  const createScope = (name: string) =>
    send(admin, 'POST', '/v1/rbac/scope/create', { app_id: desk.id, name });

  it('are undone together when the transaction fails after the event', async () => {
    let isToFail = true;
    app.app.get(SecurityEvents).subscribe((_, { type }) => {
      if (type === 'scope.created' && isToFail) throw new Error('a listener failed');
    });
    const failed = await createScope('doomed');
    isToFail = false;
    expectFailure(failed, 500, 1000);
    expect(await recordedFor(failed)).toEqual([]);
    expect(await app.dataSource.manager.existsBy(Scope, { name: 'doomed' })).toBe(false);
    await expectRecorded(await createScope('doomed'), {
      type: 'scope.created',
      app_id: desk.name,
      detail: { scope: 'doomed' },
    });
  });

  it('are undone together when the event cannot be recorded', async () => {
    await app.dataSource.query('ALTER TABLE audit_events RENAME TO elsewhere');
    const failed = await createScope('unseen');
    await app.dataSource.query('ALTER TABLE elsewhere RENAME TO audit_events');
    expectFailure(failed, 500, 1000);
    expect(await app.dataSource.manager.existsBy(Scope, { name: 'unseen' })).toBe(false);
  });
});

describe('GET /v1/audit', () => {
  let tokens: Record<Stranger, string | undefined>;
  beforeAll(async () => {
    tokens = await strangersTokens(app, admin);
  });

  it.each(strangers)('refuses %s with %i %i', async (stranger, status, code) => {
    const token = tokens[stranger];
    expectFailure(await app.client.get('/v1/audit', token === undefined ? {} : { token }), status, code);
  });

  it('answers strings and numbers where there is nothing to say', async () => {
    const [id] = await addEvents(app, 1, { requestId: 'empty' });
    expect(await list({ request_id: 'empty' })).toEqual({
      events: [
        {
          id,
          at: expect.any(Number),
          type: 'key.rotated',
          app_id: '',
          user_id: 0,
          actor: { kind: 'system', user_id: 0, client: '' },
          address: '',
          request_id: 'empty',
          detail: {},
        },
      ],
      next_cursor: '',
    });
  });

  it('names no application that is no more', async () => {
    await addEvents(app, 1, { applicationId: 2_000_000, requestId: 'orphan' });
    expect((await list({ request_id: 'orphan' })).events).toMatchObject([{ app_id: '' }]);
  });

  it('is newest first, 50 at a time', async () => {
    const now = nowSeconds();
    await addEvents(app, 60, (index) => ({ createdAt: now - 60 + index }));
    const { events } = await list();
    expect(events).toHaveLength(50);
    const places = events.map(({ at, id }) => [at, id] as const);
    expect(places).toEqual(places.toSorted(([at, id], [otherAt, otherId]) => otherAt - at || otherId - id));
  });

  describe('with filters', () => {
    const earlier = nowSeconds() - 100_000;
    let ids: number[];
    beforeAll(async () => {
      const kinds: Partial<AuditEvent>[] = [
        { type: 'login.failed', address: '198.51.100.1' },
        { type: 'login.succeeded', userId: 900_001, actorKind: 'user', actorId: 900_001 },
        { type: 'role.assigned', applicationId: desk.id, userId: 900_001, actorId: 900_002 },
        { type: 'role.changed', applicationId: desk.id, actorId: 900_002, address: '2001:db8::7' },
        { type: 'key.rotated', requestId: 'Filter_1.a-b' },
      ];
      ids = await addEvents(app, kinds.length, (index) => ({ ...kinds[index], createdAt: earlier + index }));
    });

    /** Which of the five a query finds, oldest first; those of other tests are later. */
    const found = async (query: Record<string, string | number>) => {
      const { events } = await list({ until: earlier + 5, ...query });
      return events.map(({ id }) => ids.indexOf(id)).reverse();
    };

    it.each([
      ['type', { type: 'role.changed' }, [3]],
      ['app_id, by name', { app_id: 'org.example.desk' }, [2, 3]],
      ['app_id, without regard to case', { app_id: ' ORG.example.Desk ' }, [2, 3]],
      ['user_id', { user_id: 900_001 }, [1, 2]],
      ['actor_id', { actor_id: 900_002 }, [2, 3]],
      ['address', { address: '198.51.100.1' }, [0]],
      ['address of version 6', { address: '2001:db8::7' }, [3]],
      ['request_id', { request_id: 'Filter_1.a-b' }, [4]],
      ['since, that second included', { since: earlier + 2 }, [2, 3, 4]],
      ['until, that second excluded', { until: earlier + 2 }, [0, 1]],
      ['several at once', { user_id: 900_001, actor_id: 900_002, type: 'role.assigned' }, [2]],
      ['several that nothing meets', { user_id: 900_001, type: 'key.rotated' }, []],
      ['request_id of another case', { request_id: 'filter_1.a-b' }, []],
    ])('finds by %s', async (_name, query, expected) => {
      expect(await found(query)).toEqual(expected);
    });

    it('refuses an application that there is not with 4005', async () => {
      expectFailure(await admin.get('/v1/audit?app_id=org.example.nowhere'), 403, 4005);
    });

    it.each([
      'type=login.unheard',
      'type=',
      'user_id=0',
      'user_id=ann',
      'actor_id=2147483648',
      'address=example.com',
      "address=1'%20OR%201=1",
      'request_id=a%20b',
      `request_id=${'a'.repeat(65)}`,
      'since=-1',
      'until=yesterday',
      'limit=0',
      'limit=201',
      'cursor=junk',
      'cursor=MTc5NTY1MTIwMA',
      `cursor=${Buffer.from('1.2.3').toString('base64url')}`,
      `cursor=${'a'.repeat(65)}`,
      'type=login.failed&type=key.rotated',
    ])('refuses ?%s with 1001', async (query) => {
      const name = query.split('=', 1)[0];
      const message = expect.stringMatching(new RegExp(`^Bad Request: ${name} takes `));
      expectFailure(await admin.get(`/v1/audit?${query}`), 400, 1001, message);
    });
  });

  describe('page by page', () => {
    it('tells each event once, while others are recorded', async () => {
      const now = nowSeconds();
      const userId = 910_001;
      // Seven a second: pages end amid events of the same second.
      const ids = await addEvents(app, 25, (index) => ({
        userId,
        createdAt: now - 10 + Math.floor(index / 7),
      }));
      const told: number[] = [];
      const sizes: number[] = [];
      let cursor = '';
      do {
        const page = await list({ user_id: userId, limit: 10, cursor });
        told.push(...page.events.map(({ id }) => id));
        sizes.push(page.events.length);
        cursor = page.next_cursor;
        await addEvents(app, 3, { userId, createdAt: now });
      } while (cursor !== '');
      expect(sizes).toEqual([10, 10, 5]);
      expect(told).toEqual(ids.reverse());
    });

    it('goes on below its place when the event that it names is gone', async () => {
      const userId = 910_002;
      const ids = await addEvents(app, 4, { userId });
      const { next_cursor } = await list({ user_id: userId, limit: 2 });
      await app.dataSource.manager.delete(AuditEvent, { id: ids[2] });
      const rest = await list({ user_id: userId, limit: 2, cursor: next_cursor });
      expect(rest.events.map(({ id }) => id)).toEqual([ids[1], ids[0]]);
      expect(rest.next_cursor).toBe('');
    });

    it('ends where the last page is full', async () => {
      const userId = 910_003;
      await addEvents(app, 4, { userId });
      const { events, next_cursor } = await list({ user_id: userId, limit: 4 });
      expect([events.length, next_cursor]).toEqual([4, '']);
    });
  });
});

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

  it('of an account with a long trail is completed by upkeep', async () => {
    const { id, caller } = await newPerson();
    await addEvents(app, 1203, { userId: id, actorId: id, type: 'mail.bound', address: ADDRESS });
    expectOk(await caller.request('POST', '/v1/user/delete', { headers: FROM }));
    const left = () => app.dataSource.manager.countBy(AuditEvent, { userId: id, address: ADDRESS });
    expect(await left()).toBeGreaterThan(600);
    await app.app.get(AuditTrailService).purgeExpired(new AbortController().signal);
    expect(await left()).toBe(0);
  });

  it('blanks its addresses and personal details everywhere, and keeps what was done', async () => {
    const [gone, other] = [await newPerson(), await newPerson()];
    for (const { caller } of [gone, other]) {
      const googleAccount = { type: 'google', id_token: await google.idToken() };
      expectOk(await send(caller, 'POST', '/v1/user/binding', googleAccount));
      const client = { key: `tool${nextNumber()}`, secret: 'secret-of-the-tool' };
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

  it('is completed for what was being recorded meanwhile', async () => {
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
    await app.app.get(AuditTrailService).purgeExpired(new AbortController().signal);
    expect((await list({ actor_id: id, type: 'scope.created' })).events).toMatchObject([
      { address: '', detail: { scope: 'late' } },
    ]);
    expect((await list({ user_id: id, type: 'login.failed' })).events).toMatchObject([
      { address: '', detail: {} },
    ]);
  });
});

describe('the retention', () => {
  it('deletes what is older than AUDIT_RETENTION_DAYS, however much, and nothing else', async () => {
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

describe('what is recorded', () => {
  it('holds nothing that people typed of themselves, and no secret', async () => {
    const rows = await app.dataSource.query<{ detail: string }[]>('SELECT detail FROM audit_events');
    const details = rows.map(({ detail }) => detail).join('\n');
    expect(details).toContain('"provider":"google"');
    expect(typed.length).toBeGreaterThan(20);
    expect(typed.filter((text) => details.includes(text))).toEqual([]);
  });
});
