import { PLUTO } from '../../src/applications/pluto-names.js';
import { UserRole } from '../../src/rbac/user-role.entity.js';
import { login, signedIn, type TestAccount } from '../support/accounts.js';
import {
  addAdministrator,
  type Caller,
  firstAdministrator,
  type Administrator,
} from '../support/administration.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { type TestApplication } from '../support/applications.js';
import { type Answer } from '../support/client.js';
import { countByCode, expectFailure, expectOk } from '../support/expectations.js';
import { decodeToken } from '../support/tokens.js';
import { addUser } from '../support/users.js';
import {
  app,
  desk,
  deskUserId,
  expectNothingChanged,
  expectRefused,
  newApplication,
  pluto,
  plutoOf,
  replaceScopes,
  setDefaultRole,
  setDefaultScope,
  setUserRole,
  shop,
  useDesk,
} from '../support/rbac.js';

useDesk();

describe('POST /v1/rbac/user/application/role', () => {
  it('refuses with 4009 an account of another application', async () => {
    const { guest } = desk.roles;
    const shopUserId = await addUser(app, { applicationId: shop.id });
    await expectRefused(() => setUserRole(shopUserId, desk.id, guest), 403, 4009);
    await expectRefused(() => setUserRole(shopUserId, pluto.id, pluto.roles[PLUTO.adminRole]), 403, 4009);
    const plutoUserId = await addUser(app, {});
    await expectRefused(() => setUserRole(plutoUserId, desk.id, guest), 403, 4009);
  });

  it('refuses with 4007 a role of another application', async () => {
    await expectRefused(() => setUserRole(deskUserId, desk.id, shop.roles.customer), 403, 4007);
    await expectRefused(() => setUserRole(deskUserId, desk.id, pluto.roles[PLUTO.adminRole]), 403, 4007);
  });

  it('replaces the role assigned before', async () => {
    const { manager } = app.dataSource;
    const userId = await addUser(app, { applicationId: desk.id });
    for (const role of ['agent', 'nobody', 'nobody', 'guest'])
      expectOk(await setUserRole(userId, desk.id, desk.roles[role]), {});
    const place = { userId, applicationId: desk.id };
    expect(await manager.findBy(UserRole, { userId })).toEqual([{ ...place, roleId: desk.roles.guest }]);
  });

  it('leaves one of several roles assigned concurrently', async () => {
    const userId = await addUser(app, { applicationId: desk.id });
    const roles = Object.values(desk.roles);
    const turns = Array.from({ length: 21 }, (_, turn) => roles[turn % 3]);
    const answers = await Promise.all(turns.map((role) => setUserRole(userId, desk.id, role)));
    expect(countByCode(answers)).toEqual({ 0: 21 });
    const given = await app.dataSource.manager.findBy(UserRole, { userId });
    expect(given).toHaveLength(1);
    expect(roles).toContain(given[0]?.roleId);
  });
});

describe('the next token', () => {
  let own: TestApplication;
  let account: TestAccount;
  let userId: number;
  let refreshToken: string;
  beforeEach(async () => {
    own = await newApplication({ guest: ['look'], agent: ['write', 'read', 'look'] });
    const { tokens: first, ...signed } = await signedIn(app, { app_id: own.name });
    account = signed.account;
    userId = decodeToken(first.access_token).claims.sub;
    refreshToken = first.refresh_token;
  });

  async function scopesAtLogin(): Promise<string[]> {
    const { access_token } = await login(app, account);
    return decodeToken(access_token).claims.scopes;
  }

  async function scopesAtRefresh(scopes?: string): Promise<string[]> {
    const request = { refresh_token: refreshToken, app_id: own.name, ...(scopes && { scopes }) };
    const answer = await app.client.post('/v1/token/refresh', request);
    expectOk(answer);
    refreshToken = answer.body.refresh_token as string;
    return decodeToken(answer.body.access_token as string).claims.scopes;
  }

  it('carries the default scope of the default role', async () => {
    expect(await scopesAtLogin()).toEqual(['look']);
    expect(await scopesAtRefresh('write')).toEqual(['look']);
  });

  it('carries the scopes of the assigned role', async () => {
    expectOk(await setUserRole(userId, own.id, own.roles.agent));
    expect(await scopesAtLogin()).toEqual(['write']);
    expect(await scopesAtRefresh()).toEqual(['look']);
    expect(await scopesAtRefresh('read,write delete')).toEqual(['read', 'write']);
    expectOk(await setUserRole(userId, own.id, own.roles.guest));
    expect(await scopesAtLogin()).toEqual(['look']);
    expect(await scopesAtRefresh()).toEqual(['look']);
  });

  it('does not carry scopes that the role has lost', async () => {
    expectOk(await setUserRole(userId, own.id, own.roles.agent));
    expect(await scopesAtRefresh('read write')).toEqual(['read', 'write']);
    expectOk(await replaceScopes(own.roles.agent, [own.scopes.write, own.scopes.look]));
    expect(await scopesAtRefresh()).toEqual(['write']);
    expectOk(await replaceScopes(own.roles.agent, []));
    expect(await scopesAtRefresh()).toEqual([]);
    expect(await scopesAtLogin()).toEqual([]);
  });

  it('follows the default scope and the default role', async () => {
    expectOk(await setDefaultRole(own.id, own.roles.agent));
    expect(await scopesAtLogin()).toEqual(['write']);
    expectOk(await setDefaultScope(own.roles.agent, own.scopes.read));
    expect(await scopesAtLogin()).toEqual(['read']);
  });
});

// At the end, because Passport's strategy is global and belongs to the server started last.
describe('the last administrator', () => {
  let house: TestApp;
  let first: Administrator;
  let roles: Record<string, number>;
  let scopes: Record<string, number>;
  let plutoId: number;
  beforeAll(async () => {
    house = await startTestApp();
    ({ id: plutoId, roles, scopes } = await plutoOf(house));
    first = await addAdministrator(house);
    const founder = await firstAdministrator(house);
    expectOk(await founder.post('/v1/user/delete'));
  });
  afterAll(() => house.close());

  const demote = (who: Administrator, by: Caller) => setUserRole(who.id, plutoId, roles[PLUTO.userRole], by);
  const promote = (who: Administrator, by: Caller) =>
    setUserRole(who.id, plutoId, roles[PLUTO.adminRole], by);
  const putScopes = (roleId: number | undefined, names: string[], by: Caller) =>
    by.put('/v1/rbac/role/scope', { role_id: roleId, scopes: names.map((name) => scopes[name]) });
  const isAdministrator = async (one: Caller) =>
    (await one.get(`/v1/rbac/application/i18n-name?app_id=${plutoId}`)).status === 200;

  const expectForbidden = (ask: () => Promise<Answer>) =>
    expectNothingChanged(async () => expectFailure(await ask(), 403, 1002), house);

  it('cannot be demoted', async () => {
    await expectForbidden(() => demote(first, first));
    expect(await isAdministrator(first)).toBe(true);
  });

  it('cannot be deleted', async () => {
    await expectForbidden(() => first.post('/v1/user/delete'));
    expect((await first.get('/v1/user/info')).status).toBe(200);
  });

  it.each([['PUT'], ['POST']])('cannot lose pluto.admin through %s role/scope', async (method) => {
    for (const left of [[], [scopes[PLUTO.userScope]]]) {
      const body = { role_id: roles[PLUTO.adminRole], scopes: left };
      await expectForbidden(() => first.request(method, '/v1/rbac/role/scope', { body }));
    }
    expect(await isAdministrator(first)).toBe(true);
  });

  it('may be affected by changes that keep an administrator', async () => {
    expectOk(await promote(first, first), {});
    expectOk(await putScopes(roles[PLUTO.adminRole], [PLUTO.adminScope], first), {});
    expectOk(await putScopes(roles[PLUTO.adminRole], [PLUTO.userScope, PLUTO.adminScope], first), {});
    expectOk(await putScopes(roles[PLUTO.userRole], [], first), {});
    expectOk(await putScopes(roles[PLUTO.userRole], [PLUTO.userScope], first), {});
    expect(await isAdministrator(first)).toBe(true);
  });

  it('remains when two demote each other concurrently, ten times', async () => {
    const second = await addAdministrator(house);
    for (let turn = 0; turn < 10; turn++) {
      const answers = await Promise.all([demote(second, first), demote(first, second)]);
      // An administrator demoted before the own request is admitted is refused there.
      const codes = answers.map(({ code }) => code).sort();
      expect([
        [0, 1002],
        [0, 4008],
      ]).toContainEqual(codes);
      const still = [await isAdministrator(first), await isAdministrator(second)];
      expect([...still].sort()).toEqual([false, true]);
      const [winner, loser] = still[0] ? [first, second] : [second, first];
      expectOk(await promote(loser, winner));
    }
    expectOk(await demote(second, first));
  });

  it('remains when two delete themselves concurrently, ten times', async () => {
    let last = first;
    for (let turn = 0; turn < 10; turn++) {
      const next = await addAdministrator(house);
      const answers = await Promise.all([last, next].map((one) => one.post('/v1/user/delete')));
      expect(countByCode(answers)).toEqual({ 0: 1, 1002: 1 });
      last = answers[0]?.code === 0 ? next : last;
      expect(await isAdministrator(last)).toBe(true);
    }
    first = last;
  });

  it('remains when two roles lose pluto.admin concurrently, ten times', async () => {
    const second = await addAdministrator(house);
    const made = await first.post('/v1/rbac/role/create', { app_id: plutoId, name: 'keeper' });
    const keeper = made.body.id as number;
    expectOk(await putScopes(keeper, [PLUTO.adminScope], first));
    expectOk(await setUserRole(second.id, plutoId, keeper, first));
    for (let turn = 0; turn < 10; turn++) {
      const answers = await Promise.all([
        putScopes(keeper, [PLUTO.userScope], first),
        putScopes(roles[PLUTO.adminRole], [PLUTO.userScope], second),
      ]);
      const codes = answers.map(({ code }) => code).sort();
      expect([
        [0, 1002],
        [0, 4008],
      ]).toContainEqual(codes);
      const still = await isAdministrator(first);
      expect(await isAdministrator(second)).toBe(!still);
      const [winner, lost] = still ? [first, keeper] : [second, roles[PLUTO.adminRole]];
      expectOk(await putScopes(lost, [PLUTO.adminScope, PLUTO.userScope], winner));
    }
  });
});
