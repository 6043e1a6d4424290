import { PLUTO } from '../../src/applications/pluto-names.js';
import { Scope } from '../../src/rbac/scope.entity.js';
import { type TestApplication } from '../support/applications.js';
import { countByCode, expectFailure, expectOk } from '../support/expectations.js';
import {
  app,
  desk,
  expectNothingChanged,
  expectRefused,
  INT32_MAX,
  listedRole,
  newApplication,
  pluto,
  replaceScopes,
  scopeIdsOf,
  setDefaultRole,
  setDefaultScope,
  shop,
  UNKNOWN,
  useDesk,
} from '../support/rbac.js';

useDesk();

async function defaultRoleOf({ id }: TestApplication): Promise<number | null> {
  const answer = await app.client.get(`/v1/rbac/role/list?app_id=${id}`);
  return answer.body.application.default_role as number | null;
}

describe('PUT /v1/rbac/role/scope', () => {
  it('replaces the set', async () => {
    const own = await newApplication({ agent: ['a', 'b'], pool: ['c', 'd'] });
    const { a, b, c, d } = own.scopes;
    expectOk(await replaceScopes(own.roles.agent, [d, b]), {});
    expect(await scopeIdsOf(own, 'agent')).toEqual([b, d]);
    expectOk(await replaceScopes(own.roles.agent, [a, b, c, d]), {});
    expect(await scopeIdsOf(own, 'agent')).toEqual([a, b, c, d]);
    expect(await scopeIdsOf(own, 'pool')).toEqual([c, d]);
  });

  it('accepts a repeated scope once', async () => {
    const own = await newApplication({ agent: ['a'], pool: ['b'] });
    expectOk(await replaceScopes(own.roles.agent, [own.scopes.b, own.scopes.b, own.scopes.b]), {});
    expect(await scopeIdsOf(own, 'agent')).toEqual([own.scopes.b]);
  });

  it('accepts 1,000 scopes', async () => {
    const names = Array.from({ length: 1000 }, (_, number) => `s${number}`);
    const own = await newApplication({ agent: [] });
    const rows = names.map((name) => ({ name, nameKey: name, applicationId: own.id, createdAt: 1 }));
    await app.dataSource.manager.insert(Scope, rows);
    const { body } = await app.client.get(`/v1/rbac/scope/list?app_id=${own.id}`);
    const ids = (body.scopes as { id: number }[]).map(({ id }) => id);
    expectOk(await replaceScopes(own.roles.agent, ids), {});
    expect(await scopeIdsOf(own, 'agent')).toEqual(ids);
  });

  it('clears a default scope that is no longer in the set, and keeps one that is', async () => {
    const own = await newApplication({ agent: ['a', 'b'] });
    expect((await listedRole(own, 'agent')).default_scope).toBe(own.scopes.a);
    expectOk(await replaceScopes(own.roles.agent, [own.scopes.a]), {});
    expect((await listedRole(own, 'agent')).default_scope).toBe(own.scopes.a);
    expectOk(await replaceScopes(own.roles.agent, [own.scopes.b]), {});
    expect(await listedRole(own, 'agent')).toMatchObject({ default_scope: null, scopes: [{ name: 'b' }] });
    expectOk(await replaceScopes(own.roles.agent, [own.scopes.a, own.scopes.b]), {});
    expect((await listedRole(own, 'agent')).default_scope).toBeNull();
  });

  it('removes all scopes with an empty set', async () => {
    const own = await newApplication({ agent: ['a', 'b'] });
    expectOk(await replaceScopes(own.roles.agent, []), {});
    expect(await listedRole(own, 'agent')).toMatchObject({ default_scope: null, scopes: [] });
  });

  it('changes nothing when one of many is unknown, or of another application: 4002', async () => {
    const own = await newApplication({ agent: ['a'], pool: ['b', 'c', 'd'] });
    const { b, c, d } = own.scopes;
    const ask = (...scopes: unknown[]) => replaceScopes(own.roles.agent, scopes);
    await expectRefused(() => ask(b, c, d, UNKNOWN), 403, 4002);
    await expectRefused(() => ask(UNKNOWN, b, c, d), 403, 4002);
    await expectRefused(() => ask(b, c, shop.scopes['shop.buy'], d), 403, 4002);
    await expectRefused(() => replaceScopes(shop.roles.customer, [shop.scopes['shop.buy'], b]), 403, 4002);
  });

  it('refuses anything but a list of ids with 1001', async () => {
    const wrong = [undefined, null, 1, '1', '1,2', {}, { 0: 1 }, true];
    const items = [0, -1, 2 ** 31, 1.5, '1', null, [1], {}, true];
    const look = desk.scopes['desk.look'];
    await expectNothingChanged(async () => {
      for (const scopes of [...wrong, ...items.map((item) => [look, item])])
        expectFailure(
          await replaceScopes(desk.roles.guest, scopes),
          400,
          1001,
          expect.stringContaining('scopes'),
        );
    });
  });

  it('refuses 10,000 scopes in one call with 1001, also of one id', async () => {
    const many = Array.from({ length: 10_000 }, (_, number) => number + 1);
    await expectRefused(() => replaceScopes(desk.roles.guest, many), 400, 1001);
    await expectRefused(
      () => replaceScopes(desk.roles.guest, many.fill(desk.scopes['desk.look']!)),
      400,
      1001,
    );
  });

  it('refuses a body above 64 KiB with 1007', async () => {
    const many = Array.from({ length: 10_000 }, (_, number) => INT32_MAX - number);
    await expectRefused(() => replaceScopes(desk.roles.guest, many), 413, 1007);
  });

  it('leaves exactly one of 20 sets written concurrently', async () => {
    const own = await newApplication({ agent: ['a', 'b', 'c', 'd', 'e'] });
    const ids = Object.values(own.scopes);
    const sets = Array.from({ length: 20 }, (_, turn) =>
      ids.filter((_id, place) => (turn + 1) & (1 << place)),
    );
    const answers = await Promise.all(sets.map((set) => replaceScopes(own.roles.agent, set)));
    expect(countByCode(answers)).toEqual({ 0: 20 });
    expect(sets).toContainEqual(await scopeIdsOf(own, 'agent'));
    const { default_scope, scopes } = await listedRole(own, 'agent');
    if (default_scope !== null) expect(scopes.map(({ id }) => id)).toContain(default_scope);
  });

  it('and a concurrent default scope leave a default that the role has, or none', async () => {
    const own = await newApplication({ agent: ['a', 'b'] });
    const { a, b } = own.scopes;
    for (let turn = 0; turn < 10; turn++) {
      expectOk(await replaceScopes(own.roles.agent, [a, b]), {});
      const [, set] = await Promise.all([
        replaceScopes(own.roles.agent, [a]),
        setDefaultScope(own.roles.agent, b),
      ]);
      expect([0, 4002]).toContain(set.code);
      const { default_scope, scopes } = await listedRole(own, 'agent');
      expect(scopes.map(({ id }) => id)).toEqual([a]);
      expect([null, a]).toContain(default_scope);
    }
  });
});

describe('PUT /v1/rbac/role/scope/default', () => {
  it('sets a scope of the role', async () => {
    const own = await newApplication({ agent: ['a', 'b'] });
    expectOk(await setDefaultScope(own.roles.agent, own.scopes.b), {});
    expect((await listedRole(own, 'agent')).default_scope).toBe(own.scopes.b);
    expectOk(await setDefaultScope(own.roles.agent, own.scopes.b), {});
  });

  it('refuses with 4002 a scope that the role does not have, of this application or another', async () => {
    const { agent, guest } = desk.roles;
    await expectRefused(() => setDefaultScope(guest, desk.scopes['desk.write']), 403, 4002);
    await expectRefused(() => setDefaultScope(agent, shop.scopes['shop.buy']), 403, 4002);
    await expectRefused(() => setDefaultScope(agent, shop.scopes['desk.read']), 403, 4002);
    await expectRefused(() => setDefaultScope(agent, pluto.scopes[PLUTO.adminScope]), 403, 4002);
  });
});

describe('POST /v1/rbac/application/role/default', () => {
  it('sets a role of the application', async () => {
    const own = await newApplication({ guest: [], agent: [] });
    expectOk(await setDefaultRole(own.id, own.roles.agent), {});
    expect(await defaultRoleOf(own)).toBe(own.roles.agent);
  });

  it('refuses with 4007 a role of another application', async () => {
    await expectRefused(() => setDefaultRole(desk.id, shop.roles.customer), 403, 4007);
    await expectRefused(() => setDefaultRole(desk.id, pluto.roles[PLUTO.adminRole]), 403, 4007);
    await expectRefused(() => setDefaultRole(pluto.id, desk.roles.agent), 403, 4007);
  });
});
