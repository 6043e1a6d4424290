import { PLUTO } from '../../src/applications/pluto-names.js';
import { Application } from '../../src/applications/application.entity.js';
import { Role } from '../../src/rbac/role.entity.js';
import { Scope } from '../../src/rbac/scope.entity.js';
import { type Answer } from '../support/client.js';
import { countByCode, expectFailure, expectOk } from '../support/expectations.js';
import { countQueries } from '../support/queries.js';
import {
  admin,
  app,
  desk,
  deskUserId,
  expectNothingChanged,
  expectRefused,
  type ListedRole,
  newApplication,
  type Operation,
  pluto,
  replaceScopes,
  scopeIdsOf,
  setDefaultRole,
  setDefaultScope,
  setUserRole,
  shop,
  table,
  UNKNOWN,
  unusedName,
  useDesk,
} from '../support/rbac.js';

useDesk();

const PARALLEL = 50;

function send({ method, path }: Operation, request: unknown, token: string | undefined): Promise<Answer> {
  const bearer = token === undefined ? {} : { token };
  if (method !== 'GET') return app.client.request(method, path, { ...bearer, body: request });
  const query = new URLSearchParams(request as Record<string, string>);
  return app.client.get(`${path}?${query.toString()}`, bearer);
}
const writing = table.filter(([, { method }]) => method !== 'GET');

it.each(table)('%s answers an administrator with the whole shape', async (_name, operation) => {
  const request = operation.request();
  expectOk(await send(operation, request, admin.token), operation.answer(request));
});

describe('the content of requests', () => {
  const notIds = [0, -1, 2 ** 31, 2 ** 53, 1e300, 1.5, '1', '', 'NaN', null, true, [], [1], {}, { id: 1 }];

  describe.each(writing)('%s', (_name, operation) => {
    const { ids } = operation;

    it('ignores unknown fields', async () => {
      const request = operation.request();
      const more = { id: 1, revision: 7, default_role: 99, applicationId: 1, more: 'of it' };
      expectOk(await send(operation, { ...request, ...more }, admin.token), operation.answer(request));
    });

    it('refuses ids other than positive 32-bit integers with 1001, and names the field', async () => {
      await expectNothingChanged(async () => {
        for (const field of ids)
          for (const value of [...notIds, undefined]) {
            const answer = await send(operation, { ...operation.request(), [field]: value }, admin.token);
            expectFailure(answer, 400, 1001, expect.stringContaining(field));
          }
      });
    });

    it('refuses anything but a JSON object with 1001', async () => {
      await expectNothingChanged(async () => {
        for (const body of [
          null,
          [],
          [operation.request()],
          '"text"',
          '1',
          'true',
          'NaN',
          '{',
          '',
          '{"app_id":NaN}',
        ])
          expectFailure(await send(operation, body, admin.token), 400, 1001);
      });
    });
  });

  it.each(['application/i18n-name', 'application/settings', 'role/list', 'scope/list'])(
    'GET /v1/rbac/%s refuses with 1001 a query without one positive 32-bit integer as app_id',
    async (path) => {
      const wrong = [
        '',
        '0',
        '-1',
        '2147483648',
        '1.5',
        '1e3',
        '0x1',
        'NaN',
        'abc',
        '%00',
        '1%20',
        '+1',
        '١',
      ];
      const queries = [
        ...wrong.map((id) => `?app_id=${id}`),
        '',
        '?app_id=1&app_id=2',
        '?app_id[]=1',
        '?id=1',
      ];
      for (const query of queries)
        expectFailure(
          await admin.get(`/v1/rbac/${path}${query}`),
          400,
          1001,
          expect.stringContaining('app_id'),
        );
    },
  );

  const kinds = [
    ['application', '/v1/rbac/application/create', 100, 4004, Application],
    ['role', '/v1/rbac/role/create', 60, 4006, Role],
    ['scope', '/v1/rbac/scope/create', 60, 4001, Scope],
  ] as const;

  describe.each(kinds)('the name of a new %s', (kind, path, max, exists, entity) => {
    const create = (name: unknown, appId: unknown = desk.id) => admin.post(path, { app_id: appId, name });
    const countOf = async (nameKey: string) => app.dataSource.manager.countBy(entity, { nameKey });

    it('is refused with 1001 if it is empty, too long or not a line of text', async () => {
      const controls = ['a\u0000b', 'a\nb', 'a\tb', '\u007f', 'a\u0085', 'a\u2028b'];
      const noText = [null, undefined, 1, true, [], ['a'], {}, { a: 1 }];
      const wrong = ['', ' ', ' \u3000 ', 'x'.repeat(max + 1), '\ud800', '\ufdfa'.repeat(max)];
      await expectNothingChanged(async () => {
        for (const name of [...wrong, ...controls, ...noText])
          expectFailure(await create(name), 400, 1001, expect.stringContaining('name'));
      });
    });

    it.each([
      ['one character', 'X'],
      ['as many letters as there may be', 'y'.repeat(max)],
      ['as many emoji as there may be', '🦊'.repeat(max)],
      ['another script', '客服中心'],
      ['wildcards, quotes and markup', `%_\\'"<b>&;--`],
    ])('may be %s', async (_what, name) => {
      const answer = await create(name);
      expectOk(answer);
      expect(answer.body.name).toBe(name);
    });

    it.each([
      ['a built-in property', 'constructor'],
      ['a boolean', 'false'],
    ])('may look like %s', async (_what, name) => {
      expectOk(await create(name));
    });

    it('exists once, whatever its case or form', async () => {
      const name = `Ünïque-${unusedName(kind)}-οδοσ`;
      expectOk(await create(name));
      for (const same of [name, name.toUpperCase(), name.toLowerCase(), name.normalize('NFD')])
        await expectRefused(() => create(same), 403, exists);
    });

    it(`is created once by ${PARALLEL} concurrent creations`, async () => {
      const name = unusedName(`${kind}-Parallel`);
      const names = Array.from({ length: PARALLEL }, (_, turn) => (turn % 2 ? name : name.toLowerCase()));
      const answers = await Promise.all(names.map((one) => create(one)));
      expect(countByCode(answers)).toEqual({ 0: 1, [exists]: PARALLEL - 1 });
      expect(await countOf(name.toLowerCase())).toBe(1);
    });
  });

  describe.each(kinds.slice(0, 2))('the name of a new %s', (kind, path, _max, exists) => {
    it('is trimmed', async () => {
      const name = unusedName(kind);
      const answer = await admin.post(path, { app_id: desk.id, name: `  ${name}\u3000` });
      expectOk(answer);
      expect(answer.body.name).toBe(name);
      await expectRefused(() => admin.post(path, { app_id: desk.id, name: ` ${name} ` }), 403, exists);
    });
  });

  it('the name of a new scope must not contain spaces or commas, which separate names in requests', async () => {
    await expectNothingChanged(async () => {
      for (const name of ['a b', 'a,b', ',', 'a\u3000b', 'a\u00a0b'])
        expectFailure(await admin.post('/v1/rbac/scope/create', { app_id: desk.id, name }), 400, 1001);
    });
  });

  it('a role and a scope of the same name may exist in two applications, each with its own id', async () => {
    for (const kind of ['role', 'scope']) {
      const name = unusedName(`twin-${kind}`);
      const answers = [];
      for (const { id } of [desk, shop])
        answers.push(await admin.post(`/v1/rbac/${kind}/create`, { app_id: id, name }));
      for (const answer of answers) expectOk(answer);
      expect(answers[0]?.body.id).not.toBe(answers[1]?.body.id);
      expect(answers.map(({ body }) => body.app_id as number)).toEqual([desk.id, shop.id]);
    }
  });

  it('no application has the name of Pluto in another form', async () => {
    for (const name of ['pluto', 'PLUTO', ' Pluto ', 'ｐｌｕｔｏ'])
      await expectRefused(() => admin.post('/v1/rbac/application/create', { name }), 403, 4004);
  });

  it('unknown ids are refused with the code of what is missing', async () => {
    await expectNothingChanged(async () => {
      const name = unusedName('lost');
      const answers = [
        [await admin.post('/v1/rbac/role/create', { app_id: UNKNOWN, name }), 4005],
        [await admin.post('/v1/rbac/scope/create', { app_id: UNKNOWN, name }), 4005],
        [await replaceScopes(UNKNOWN, []), 4007],
        [await replaceScopes(UNKNOWN, [UNKNOWN]), 4007],
        [await replaceScopes(desk.roles.guest, [UNKNOWN]), 4002],
        [await setDefaultScope(UNKNOWN, desk.scopes['desk.look']), 4007],
        [await setDefaultScope(desk.roles.guest, UNKNOWN), 4002],
        [await setDefaultRole(UNKNOWN, desk.roles.guest), 4005],
        [await setDefaultRole(desk.id, UNKNOWN), 4007],
        [await setUserRole(UNKNOWN, desk.id, desk.roles.guest), 4009],
        [await setUserRole(deskUserId, UNKNOWN, desk.roles.guest), 4005],
        [await setUserRole(deskUserId, desk.id, UNKNOWN), 4007],
        [await admin.get(`/v1/rbac/application/i18n-name?app_id=${UNKNOWN}`), 4005],
        [
          await admin.post('/v1/rbac/application/update-i18n-name', { app_id: UNKNOWN, i18n_names: [] }),
          4005,
        ],
        [await admin.get(`/v1/rbac/application/settings?app_id=${UNKNOWN}`), 4005],
        [await admin.put('/v1/rbac/application/settings', { app_id: UNKNOWN }), 4005],
        [await app.client.get(`/v1/rbac/role/list?app_id=${UNKNOWN}`), 4005],
        [await app.client.get(`/v1/rbac/scope/list?app_id=${UNKNOWN}`), 4005],
      ] as const;
      for (const [answer, code] of answers) expectFailure(answer, 403, code);
    });
  });
});

describe('lists', () => {
  it('are sorted by id, with what was set', async () => {
    const { id, name, roles, scopes } = await newApplication({
      zebra: ['z.last', 'a.first'],
      aardvark: ['a.first'],
      mole: [],
    });
    const application = { id, name, default_role: roles.zebra };
    const [last, first] = ['z.last', 'a.first'].map((scope) => ({ id: scopes[scope], name: scope }));
    expectOk(await app.client.get(`/v1/rbac/role/list?app_id=${id}`), {
      application,
      roles: [
        { id: roles.zebra, name: 'zebra', default_scope: last?.id, scopes: [last, first] },
        { id: roles.aardvark, name: 'aardvark', default_scope: first?.id, scopes: [first] },
        { id: roles.mole, name: 'mole', default_scope: null, scopes: [] },
      ],
    });
    expectOk(await app.client.get(`/v1/rbac/scope/list?app_id=${id}`), {
      application,
      scopes: [last, first],
    });
    expect(await scopeIdsOf({ id, name, roles, scopes }, 'zebra')).toEqual([last?.id, first?.id]);
  });

  it('are empty for a new application', async () => {
    const { id, name } = await newApplication();
    const application = { id, name, default_role: null };
    expectOk(await app.client.get(`/v1/rbac/role/list?app_id=${id}`), { application, roles: [] });
    expectOk(await app.client.get(`/v1/rbac/scope/list?app_id=${id}`), { application, scopes: [] });
  });

  it('name every application, oldest first', async () => {
    const made = await newApplication();
    const { body } = await app.client.get('/v1/rbac/application/list');
    const ids = (body as { id: number }[]).map(({ id }) => id);
    expect(body[0]).toEqual({ id: pluto.id, name: 'pluto', default_role: pluto.roles[PLUTO.userRole] });
    expect(ids).toEqual([...ids].sort((one, other) => one - other));
    expect(body).toContainEqual({ id: made.id, name: made.name, default_role: null });
  });

  it('take as many queries for 50 roles with 20 scopes each as for one role', async () => {
    const scopes = Array.from({ length: 20 }, (_, number) => `scope${number}`);
    const roles = Array.from({ length: 50 }, (_, number) => [`role${number}`, scopes]);
    const small = await newApplication({ one: ['scope'] });
    const large = await newApplication(Object.fromEntries(roles) as Record<string, string[]>);
    const queriesFor = async (path: string) =>
      countQueries(app, async () => expectOk(await app.client.get(`/v1/rbac/${path}`)));
    const read = await app.client.get(`/v1/rbac/role/list?app_id=${large.id}`);
    expect((read.body.roles as ListedRole[]).map((role) => role.scopes.length)).toEqual(Array(50).fill(20));
    for (const { id } of [small, large]) {
      expect(await queriesFor(`role/list?app_id=${id}`)).toBe(3);
      expect(await queriesFor(`scope/list?app_id=${id}`)).toBe(2);
      expect(await queriesFor('application/list')).toBe(1);
    }
  });
});
