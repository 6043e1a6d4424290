import { PLUTO } from '../../src/applications/pluto-names.js';
import { RoleScope } from '../../src/rbac/role-scope.entity.js';
import { firstAdministrator, type Caller } from '../support/administration.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication, type TestApplication } from '../support/applications.js';
import type { Answer } from '../support/client.js';
import { countByCode, expectFailure, expectOk } from '../support/expectations.js';
import { expectNothingChanged, plutoOf } from '../support/rbac.js';
import { openSession } from '../support/sessions.js';
import { decodeToken } from '../support/tokens.js';
import { addUser } from '../support/users.js';

describe('the default role of pluto', () => {
  let house: TestApp;
  let keeper: Caller;
  let own: TestApplication;
  let staff: number;
  beforeAll(async () => {
    house = await startTestApp();
    keeper = await firstAdministrator(house);
    own = await plutoOf(house);
    staff = await newRole('staff');
  });
  afterAll(() => house.close());

  const newRole = async (name: string) =>
    (await keeper.post('/v1/rbac/role/create', { app_id: own.id, name })).body.id as number;
  const setDefault = (roleId: number) =>
    keeper.post('/v1/rbac/application/role/default', { app_id: own.id, role_id: roleId });
  const putScopes = (roleId: number, names: string[], method = 'PUT') =>
    keeper.request(method, '/v1/rbac/role/scope', {
      body: { role_id: roleId, scopes: names.map((name) => own.scopes[name]) },
    });
  const expectForbidden = (ask: () => Promise<Answer>) =>
    expectNothingChanged(async () => expectFailure(await ask(), 403, 1002), house);
  const newcomersScopes = async () => {
    const { accessToken } = await openSession(house, await addUser(house, {}), own.name);
    return decodeToken(accessToken).claims.scopes;
  };

  it('is never one with pluto.admin: 1002', async () => {
    await expectForbidden(() => setDefault(own.roles[PLUTO.adminRole]!));
    const other = await newRole('other');
    expectOk(await putScopes(other, [PLUTO.userScope, PLUTO.adminScope]), {});
    await expectForbidden(() => setDefault(other));
    expect(await newcomersScopes()).toEqual([PLUTO.userScope]);
  });

  it.each([['PUT'], ['POST']])('does not get pluto.admin through %s role/scope: 1002', async (method) => {
    for (const names of [[PLUTO.adminScope], [PLUTO.userScope, PLUTO.adminScope]])
      await expectForbidden(() => putScopes(own.roles[PLUTO.userRole]!, names, method));
    expect(await newcomersScopes()).toEqual([PLUTO.userScope]);
  });

  it('may be any other role, whose scopes may change', async () => {
    expectOk(await setDefault(staff), {});
    expectOk(await putScopes(staff, [PLUTO.userScope]), {});
    expectOk(await putScopes(own.roles[PLUTO.userRole]!, [PLUTO.adminScope]), {});
    expectOk(await putScopes(own.roles[PLUTO.userRole]!, [PLUTO.userScope]), {});
    expectOk(await setDefault(own.roles[PLUTO.userRole]!), {});
  });

  it('does not get pluto.admin when it is set while the role gets that scope, ten times', async () => {
    for (let turn = 0; turn < 10; turn++) {
      expectOk(await putScopes(staff, [PLUTO.userScope]), {});
      const asked = [() => setDefault(staff), () => putScopes(staff, [PLUTO.userScope, PLUTO.adminScope])];
      const answers = await Promise.all((turn % 2 ? asked : asked.reverse()).map((ask) => ask()));
      expect(countByCode(answers)).toEqual({ 0: 1, 1002: 1 });
      expect(await newcomersScopes()).not.toContain(PLUTO.adminScope);
      expectOk(await setDefault(own.roles[PLUTO.userRole]!), {});
    }
  });

  it('is repaired by either change if an earlier version gave it pluto.admin', async () => {
    const { manager } = house.dataSource;
    const giveIt = () =>
      manager.insert(RoleScope, {
        roleId: own.roles[PLUTO.userRole]!,
        scopeId: own.scopes[PLUTO.adminScope]!,
      });
    await giveIt();
    expectOk(await putScopes(staff, [PLUTO.adminScope]), {});
    await expectForbidden(() => setDefault(staff));
    expectOk(await putScopes(own.roles[PLUTO.userRole]!, [PLUTO.userScope]), {});
    await giveIt();
    expectOk(await putScopes(staff, [PLUTO.userScope]), {});
    expectOk(await setDefault(staff), {});
    expect(await newcomersScopes()).not.toContain(PLUTO.adminScope);
  });

  it('of another application may have a scope of that name, which counts in pluto only', async () => {
    const { id, roles, scopes } = await addApplication(house, {
      name: 'org.example.namesake',
      roles: { guest: [], admin: [PLUTO.adminScope] },
    });
    const body = { role_id: roles.guest, scopes: [scopes[PLUTO.adminScope]] };
    expectOk(await keeper.put('/v1/rbac/role/scope', body), {});
    const change = { app_id: id, role_id: roles.admin };
    expectOk(await keeper.post('/v1/rbac/application/role/default', change), {});
  });
});
