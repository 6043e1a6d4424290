import { AuditEvent } from '../../src/audit/audit-event.entity.js';
import { RegistrationService } from '../../src/auth/registration/registration.service.js';
import { nowSeconds } from '../../src/common/time.js';
import { SecurityEvents } from '../../src/events/security-events.js';
import { Transactions } from '../../src/database/transactions.js';
import { Scope } from '../../src/rbac/scope.entity.js';
import { Identity } from '../../src/users/identity.entity.js';
import { User } from '../../src/users/user.entity.js';
import { registration, type TestAccount } from '../support/accounts.js';
import { Caller } from '../support/administration.js';
import { ADMIN } from '../support/app.js';
import { type Recorded } from '../support/audit.js';
import { nextNumber, type Answer } from '../support/client.js';
import { environmentOf, runPluto } from '../support/command-line.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { addClient, getTokens } from '../support/oauth.js';
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
  type Person,
  recordedDetails,
  send,
  typed,
  useAuditRecords,
} from '../support/audit-records.js';

useAuditRecords();

async function recordedFor(answer: Answer): Promise<Recorded[]> {
  return (await list({ request_id: answer.headers.get('x-request-id') ?? '' })).events;
}

/** Asserts that a request succeeded and recorded exactly this event. */
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

/** An account with a Google identity only. */
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

  it('a role that is created, gets scopes and a default scope, and becomes the default', async () => {
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

  it('the applications of a client', async () => {
    const { key } = await addClient(app);
    const owner = (await list({ type: 'client.created', limit: 1 })).events[0]!.user_id;
    const body = { key, app_ids: ['pluto'] };
    const answer = await send(admin, 'PUT', '/v1/oauth/client/application', body);
    const detail = { client: key, change: 'applications' };
    await expectRecorded(answer, { type: 'client.changed', user_id: owner, detail });
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

  it('no refused requests', async () => {
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
    const client = { key: `tool${nextNumber()}`, secret: 'yO9QkXG2sV_0dT7rLwB3-A' };
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

  it('a mail that is bound, replaced, confirmed by its link, and unbound', async () => {
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

  it('the deletion of an account', async () => {
    const { caller, id, actor } = await newPerson(desk.id, desk.name);
    const answer = await send(caller, 'POST', '/v1/user/delete');
    await expectRecorded(answer, {
      type: 'account.deleted',
      app_id: desk.name,
      user_id: id,
      actor,
      detail: { reason: 'request' },
    });
  });

  it('a pending registration that ends because its mail is confirmed by another, with unknown actor', async () => {
    const account = registration();
    const id = await register(account);
    const other = { ...registration(), mail: account.mail };
    await register(other);
    await app.client.submit(await app.mailbox.linkTo(account.mail, 2), { password: other.password });
    expect((await ofAccount(id))[0]).toMatchObject({
      type: 'account.deleted',
      actor: { kind: 'anonymous', user_id: 0, client: '' },
      detail: { reason: 'abandoned' },
    });
  });

  it('an unconfirmed mail that is removed because another account confirms it', async () => {
    const { caller, id } = await newGooglePerson();
    const account = registration();
    expectOk(await caller.post('/v1/user/binding', { type: 'mail', mail: account.mail }));
    await register(account);
    await app.client.submit(await app.mailbox.linkTo(account.mail, 2), { password: account.password });
    expect((await ofAccount(id))[0]).toMatchObject({
      type: 'mail.unbound',
      actor: { kind: 'anonymous', user_id: 0, client: '' },
    });
    expect(await app.dataSource.manager.existsBy(User, { id })).toBe(true);
  });
});

describe('the audit trail records without a request', () => {
  const nobody = { address: '', request_id: '' };

  it('what the first start creates, as done by the system', async () => {
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
    await manager.update(Identity, { userId: id }, { pendingUntil: 0 });
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
      await pluto('keys', 'activate'),
      await pluto('admin', 'create', 'ann@example.com', '--handle', 'annes-handle'),
    ];
    expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 0]);
    const kid = /^(\S+) +next/m.exec(outcomes[0]!.stdout)![1];
    for (const type of ['key.rotated', 'key.activated'])
      expect((await list({ type, limit: 1 })).events).toMatchObject([
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
  it('is refused together with its change in a transaction without request context', async () => {
    const [transactions, events] = [app.app.get(Transactions), app.app.get(SecurityEvents)];
    const count = () => app.dataSource.manager.count(AuditEvent);
    const before = await count();
    const scope = { applicationId: desk.id, name: 'orphan', nameKey: 'orphan', createdAt: nowSeconds() };
    const work = transactions.run(async (manager) => {
      await manager.insert(Scope, scope);
      const detail = { scope: 'orphan' };
      await events.publish(manager, { type: 'scope.created', applicationId: desk.id, userId: null, detail });
    });
    await expect(work).rejects.toThrow('No request context');
    expect(await count()).toBe(before);
    expect(await app.dataSource.manager.existsBy(Scope, { name: 'orphan' })).toBe(false);
  });
});

describe('an event and what happened', () => {
  const createScope = (name: string) =>
    send(admin, 'POST', '/v1/rbac/scope/create', { app_id: desk.id, name });

  it('are rolled back together when the transaction fails after the event', async () => {
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

  it('are rolled back together when the event cannot be recorded', async () => {
    await app.dataSource.query('ALTER TABLE audit_events RENAME TO elsewhere');
    const failed = await createScope('unseen');
    await app.dataSource.query('ALTER TABLE elsewhere RENAME TO audit_events');
    expectFailure(failed, 500, 1000);
    expect(await app.dataSource.manager.existsBy(Scope, { name: 'unseen' })).toBe(false);
  });
});

describe('what is recorded', () => {
  it('contains no personal input and no secret', async () => {
    const details = await recordedDetails();
    expect(details).toContain('"provider":"google"');
    expect(typed.length).toBeGreaterThan(20);
    expect(typed.filter((text) => details.includes(text))).toEqual([]);
  });
});
