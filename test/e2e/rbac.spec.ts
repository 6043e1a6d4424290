import { generateKeyPairSync } from 'node:crypto';
import { PLUTO } from '../../src/rbac/names.js';
import { ApplicationName } from '../../src/rbac/application-name.entity.js';
import { ApplicationSettings } from '../../src/rbac/application-settings.entity.js';
import { Application } from '../../src/rbac/application.entity.js';
import { RoleScope } from '../../src/rbac/role-scope.entity.js';
import { Role } from '../../src/rbac/role.entity.js';
import { Scope } from '../../src/rbac/scope.entity.js';
import { UserRole } from '../../src/rbac/user-role.entity.js';
import { login, registration, signedIn, type TestAccount } from '../support/accounts.js';
import {
  addAdministrator,
  type Caller,
  firstAdministrator,
  strangers,
  strangersTokens,
  type Administrator,
  type Stranger,
} from '../support/administration.js';
import { openSession } from '../support/sessions.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication, type TestApplication } from '../support/applications.js';
import { nextNumber, type Answer } from '../support/client.js';
import { countByCode, expectFailure, expectOk } from '../support/expectations.js';
import { countQueries } from '../support/queries.js';
import { decodeToken } from '../support/tokens.js';
import { addUser } from '../support/users.js';

const INT32_MAX = 2 ** 31 - 1;
const UNKNOWN = INT32_MAX;
const PARALLEL = 50;

type Fields = Record<string, unknown>;

interface Operation {
  method: 'GET' | 'POST' | 'PUT';
  path: string;
  /** The fields that take an id. */
  ids: string[];
  /** A request that succeeds: the query of a GET, else the body. */
  request: () => Fields;
  answer: (request: Fields) => unknown;
}

let app: TestApp;
let admin: Caller;
let tokens: Record<Stranger, string | undefined>;
/** The application that most is done to, and one that it must be kept apart from. */
let desk: TestApplication;
let shop: TestApplication;
let pluto: TestApplication;
let deskUserId: number;

beforeAll(async () => {
  app = await startTestApp();
  admin = await firstAdministrator(app);
  tokens = await strangersTokens(app, admin);
  pluto = await plutoOf(app);
  desk = await addApplication(app, {
    name: 'org.example.desk',
    roles: { guest: ['desk.look'], agent: ['desk.read', 'desk.write', 'desk.look'], nobody: [] },
  });
  shop = await addApplication(app, {
    name: 'org.example.shop',
    roles: { customer: ['shop.buy', 'desk.read'] },
  });
  deskUserId = await addUser(app, { applicationId: desk.id });
});
afterAll(() => app.close());

const unusedName = (kind: string) => `${kind}${nextNumber()}`;

/** An application of its own for a test that changes what others would look at. */
function newApplication(roles: Record<string, string[]> = {}): Promise<TestApplication> {
  return addApplication(app, { name: unusedName('org.example.app'), roles });
}

async function plutoOf({ dataSource: { manager } }: TestApp): Promise<TestApplication> {
  const { id, name } = await manager.findOneByOrFail(Application, { nameKey: PLUTO.application });
  const idsByName = async (kind: typeof Role | typeof Scope) => {
    const rows = await manager.findBy<Role | Scope>(kind, { applicationId: id });
    return Object.fromEntries(rows.map((row) => [row.name, row.id]));
  };
  return { id, name, roles: await idsByName(Role), scopes: await idsByName(Scope) };
}

function send({ method, path }: Operation, request: unknown, token: string | undefined): Promise<Answer> {
  const bearer = token === undefined ? {} : { token };
  if (method !== 'GET') return app.client.request(method, path, { ...bearer, body: request });
  const query = new URLSearchParams(request as Record<string, string>);
  return app.client.get(`${path}?${query.toString()}`, bearer);
}

/** Everything that can be set here, as the database has it. */
async function stateOf({ dataSource }: TestApp): Promise<string[]> {
  const tables = [Application, Role, Scope, RoleScope, UserRole, ApplicationName, ApplicationSettings];
  const rows = await Promise.all(tables.map((table) => dataSource.manager.find<object>(table)));
  return rows.flatMap((ofOne, place) => ofOne.map((row) => tables[place]?.name + JSON.stringify(row)).sort());
}

async function expectNothingChanged(work: () => Promise<unknown>, of = app): Promise<void> {
  const before = await stateOf(of);
  await work();
  expect(await stateOf(of)).toEqual(before);
}

/** Asserts a refusal that left everything as it was. */
async function expectRefused(ask: () => Promise<Answer>, status: number, code: number): Promise<void> {
  await expectNothingChanged(async () => expectFailure(await ask(), status, code));
}

interface ListedRole {
  id: number;
  name: string;
  default_scope: number | null;
  scopes: { id: number; name: string }[];
}

async function listedRole({ id, roles }: TestApplication, name: string): Promise<ListedRole> {
  const answer = await app.client.get(`/v1/rbac/role/list?app_id=${id}`);
  const found = (answer.body.roles as ListedRole[]).find((role) => role.id === roles[name]);
  if (!found) throw new Error(`the role ${name} is not in the list: ${answer.text}`);
  return found;
}

async function scopeIdsOf(application: TestApplication, role: string): Promise<number[]> {
  return (await listedRole(application, role)).scopes.map(({ id }) => id);
}

async function defaultRoleOf({ id }: TestApplication): Promise<number | null> {
  const answer = await app.client.get(`/v1/rbac/role/list?app_id=${id}`);
  return answer.body.application.default_role as number | null;
}

const replaceScopes = (role_id: unknown, scopes: unknown) =>
  admin.put('/v1/rbac/role/scope', { role_id, scopes });
const setDefaultScope = (role_id: unknown, scope_id: unknown) =>
  admin.put('/v1/rbac/role/scope/default', { role_id, scope_id });
const setDefaultRole = (app_id: unknown, role_id: unknown) =>
  admin.post('/v1/rbac/application/role/default', { app_id, role_id });
const setUserRole = (user_id: unknown, app_id: unknown, role_id: unknown, by: Caller = admin) =>
  by.post('/v1/rbac/user/application/role', { user_id, app_id, role_id });

const created = ({ app_id, name }: Fields) => ({ id: expect.any(Number), app_id, name });
const nothing = () => ({});
const allScopesOfAgent = () => ({ role_id: desk.roles.agent, scopes: Object.values(desk.scopes) });
const writeAsDefault = () => ({ role_id: desk.roles.agent, scope_id: desk.scopes['desk.write'] });
const noSettings = {
  redirect_urls: [],
  google_client_ids: [],
  apple_team_id: '',
  apple_key_id: '',
  apple_client_id: '',
  apple_private_key_set: false,
  wechat_app_id: '',
  wechat_app_secret_set: false,
  wechat_web_app_id: '',
  wechat_web_app_secret_set: false,
};

const operations = {
  'Create role': {
    method: 'POST',
    path: '/v1/rbac/role/create',
    ids: ['app_id'],
    request: () => ({ app_id: desk.id, name: unusedName('role') }),
    answer: created,
  },
  'Create scope': {
    method: 'POST',
    path: '/v1/rbac/scope/create',
    ids: ['app_id'],
    request: () => ({ app_id: desk.id, name: unusedName('scope') }),
    answer: created,
  },
  'Scopes of a role': {
    method: 'PUT',
    path: '/v1/rbac/role/scope',
    ids: ['role_id'],
    request: allScopesOfAgent,
    answer: nothing,
  },
  'Scopes of a role (alias)': {
    method: 'POST',
    path: '/v1/rbac/role/scope',
    ids: ['role_id'],
    request: allScopesOfAgent,
    answer: nothing,
  },
  'Default scope': {
    method: 'PUT',
    path: '/v1/rbac/role/scope/default',
    ids: ['role_id', 'scope_id'],
    request: writeAsDefault,
    answer: nothing,
  },
  'Default scope (alias)': {
    method: 'POST',
    path: '/v1/rbac/role/scope/default',
    ids: ['role_id', 'scope_id'],
    request: writeAsDefault,
    answer: nothing,
  },
  'Create application': {
    method: 'POST',
    path: '/v1/rbac/application/create',
    ids: [],
    request: () => ({ name: unusedName('org.example.made') }),
    answer: ({ name }) => ({ id: expect.any(Number), name, default_role: null }),
  },
  'Application names': {
    method: 'POST',
    path: '/v1/rbac/application/update-i18n-name',
    ids: ['app_id'],
    request: () => ({ app_id: desk.id, i18n_names: [{ tag: 'ja', i18n_name: '窓口' }] }),
    answer: nothing,
  },
  'Get names': {
    method: 'GET',
    path: '/v1/rbac/application/i18n-name',
    ids: ['app_id'],
    request: () => ({ app_id: shop.id }),
    answer: () => ({ app_id: shop.id, app_name: shop.name, i18n_names: [] }),
  },
  'Default role': {
    method: 'POST',
    path: '/v1/rbac/application/role/default',
    ids: ['app_id', 'role_id'],
    request: () => ({ app_id: desk.id, role_id: desk.roles.guest }),
    answer: nothing,
  },
  "Set user's role": {
    method: 'POST',
    path: '/v1/rbac/user/application/role',
    ids: ['user_id', 'app_id', 'role_id'],
    request: () => ({ user_id: deskUserId, app_id: desk.id, role_id: desk.roles.agent }),
    answer: nothing,
  },
  'Get settings': {
    method: 'GET',
    path: '/v1/rbac/application/settings',
    ids: ['app_id'],
    request: () => ({ app_id: shop.id }),
    answer: () => ({ app_id: shop.id, ...noSettings }),
  },
  'Change settings': {
    method: 'PUT',
    path: '/v1/rbac/application/settings',
    ids: ['app_id'],
    request: () => ({ app_id: desk.id, redirect_urls: ['https://desk.example/in'] }),
    answer: () => ({ app_id: desk.id, ...noSettings, redirect_urls: ['https://desk.example/in'] }),
  },
} satisfies Record<string, Operation>;

const table: [string, Operation][] = Object.entries(operations);
const writing = table.filter(([, { method }]) => method !== 'GET');
const lists: [string, () => string][] = [
  ['GET /v1/rbac/application/list', () => '/v1/rbac/application/list'],
  ['GET /v1/rbac/role/list', () => `/v1/rbac/role/list?app_id=${shop.id}`],
  ['GET /v1/rbac/scope/list', () => `/v1/rbac/scope/list?app_id=${shop.id}`],
];

describe('who may call', () => {
  describe.each(table)('%s', (_name, operation) => {
    it('an administrator, answered with 200 and the whole shape', async () => {
      const request = operation.request();
      expectOk(await send(operation, request, admin.token), operation.answer(request));
    });

    it.each(strangers)(
      'not %s, refused with %i and %i before the request is read',
      async (who, status, code) => {
        await expectRefused(() => send(operation, operation.request(), tokens[who]), status, code);
        expectFailure(await send(operation, {}, tokens[who]), status, code);
      },
    );
  });

  describe.each(lists)('%s', (_name, path) => {
    it.each(strangers)('everybody, also %s', async (who) => {
      const token = tokens[who];
      const answer = await app.client.get(path(), token === undefined ? {} : { token });
      expectOk(answer, (await admin.get(path())).body);
    });
  });

  it('not an administrator whose token has pluto.user only: 4008', async () => {
    const keeper = await addAdministrator(app);
    const { refreshToken } = await openSession(app, keeper.id, PLUTO.application);
    const asked = { refresh_token: refreshToken, app_id: 'pluto', scopes: PLUTO.userScope };
    const token = (await app.client.post('/v1/token/refresh', asked)).body.access_token as string;
    expect(decodeToken(token).claims.scopes).toEqual([PLUTO.userScope]);
    const { 'Create application': operation } = operations;
    await expectRefused(() => send(operation, operation.request(), token), 403, 4008);
  });

  it('not an administrator who has lost the role, though the token says otherwise: 4008, at once', async () => {
    const keeper = await addAdministrator(app);
    const { 'Create application': operation } = operations;
    expectOk(await send(operation, operation.request(), keeper.token));
    expectOk(await setUserRole(keeper.id, pluto.id, pluto.roles[PLUTO.userRole]));
    expect(decodeToken(keeper.token).claims.scopes).toContain(PLUTO.adminScope);
    for (const [, every] of table) expectFailure(await send(every, every.request(), keeper.token), 403, 4008);

    expectOk(await setUserRole(keeper.id, pluto.id, pluto.roles[PLUTO.adminRole]));
    expectOk(await send(operation, operation.request(), keeper.token));
  });

  it('not an administrator whose account is gone: 3009', async () => {
    const keeper = await addAdministrator(app);
    expectOk(await keeper.post('/v1/user/delete'));
    const { 'Create application': operation } = operations;
    await expectRefused(() => send(operation, operation.request(), keeper.token), 403, 3009);
  });
});

describe('what requests may hold', () => {
  const notIds = [0, -1, 2 ** 31, 2 ** 53, 1e300, 1.5, '1', '', 'NaN', null, true, [], [1], {}, { id: 1 }];

  describe.each(writing)('%s', (_name, operation) => {
    const { ids } = operation;

    it('ignores fields that it does not know', async () => {
      const request = operation.request();
      const more = { id: 1, revision: 7, default_role: 99, applicationId: 1, more: 'of it' };
      expectOk(await send(operation, { ...request, ...more }, admin.token), operation.answer(request));
    });

    it('refuses with 1001 ids that are no positive 32-bit integers, and names the field', async () => {
      await expectNothingChanged(async () => {
        for (const field of ids)
          for (const value of [...notIds, undefined]) {
            const answer = await send(operation, { ...operation.request(), [field]: value }, admin.token);
            expectFailure(answer, 400, 1001, expect.stringContaining(field));
          }
      });
    });

    it('refuses with 1001 what is no JSON object', async () => {
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

    it('is refused with 1001 when it is empty, too long or no line of text', async () => {
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

    it(`is made once by ${PARALLEL} creations at the same moment`, async () => {
      const name = unusedName(`${kind}-Parallel`);
      const names = Array.from({ length: PARALLEL }, (_, turn) => (turn % 2 ? name : name.toLowerCase()));
      const answers = await Promise.all(names.map((one) => create(one)));
      expect(countByCode(answers)).toEqual({ 0: 1, [exists]: PARALLEL - 1 });
      expect(await countOf(name.toLowerCase())).toBe(1);
    });
  });

  describe.each(kinds.slice(0, 2))('the name of a new %s', (kind, path, _max, exists) => {
    it('loses the blanks around it', async () => {
      const name = unusedName(kind);
      const answer = await admin.post(path, { app_id: desk.id, name: `  ${name}\u3000` });
      expectOk(answer);
      expect(answer.body.name).toBe(name);
      await expectRefused(() => admin.post(path, { app_id: desk.id, name: ` ${name} ` }), 403, exists);
    });
  });

  it('the name of a new scope has no blanks and no commas, since requests separate names by them', async () => {
    await expectNothingChanged(async () => {
      for (const name of ['a b', ' a', 'a ', 'a,b', ',', 'a\u3000b', 'a\u00a0b'])
        expectFailure(await admin.post('/v1/rbac/scope/create', { app_id: desk.id, name }), 400, 1001);
    });
  });

  it('a role and a scope of one name may be in two applications, each with its own id', async () => {
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

  it('ids that belong to nothing are refused with the code of what is missing', async () => {
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
  it('are in the order of ids, with what was set', async () => {
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

  it('takes a scope given twice once', async () => {
    const own = await newApplication({ agent: ['a'], pool: ['b'] });
    expectOk(await replaceScopes(own.roles.agent, [own.scopes.b, own.scopes.b, own.scopes.b]), {});
    expect(await scopeIdsOf(own, 'agent')).toEqual([own.scopes.b]);
  });

  it('takes 1,000 scopes', async () => {
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

  it('takes all scopes away with an empty set', async () => {
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

  it('refuses what is no list of ids with 1001', async () => {
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

  it('leaves exactly one of 20 sets that are put at the same moment', async () => {
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

  it('and a default scope at the same moment leave a default that the role has, or none', async () => {
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

  it('replaces the role that the account was given before', async () => {
    const { manager } = app.dataSource;
    const userId = await addUser(app, { applicationId: desk.id });
    for (const role of ['agent', 'nobody', 'nobody', 'guest'])
      expectOk(await setUserRole(userId, desk.id, desk.roles[role]), {});
    const place = { userId, applicationId: desk.id };
    expect(await manager.findBy(UserRole, { userId })).toEqual([{ ...place, roleId: desk.roles.guest }]);
  });

  it('leaves one of the roles that are set at the same moment', async () => {
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

  it('carries what the given role has', async () => {
    expectOk(await setUserRole(userId, own.id, own.roles.agent));
    expect(await scopesAtLogin()).toEqual(['write']);
    expect(await scopesAtRefresh()).toEqual(['look']);
    expect(await scopesAtRefresh('read,write delete')).toEqual(['read', 'write']);
    expectOk(await setUserRole(userId, own.id, own.roles.guest));
    expect(await scopesAtLogin()).toEqual(['look']);
    expect(await scopesAtRefresh()).toEqual(['look']);
  });

  it('carries no scope that the role has lost', async () => {
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

describe('POST /v1/rbac/application/update-i18n-name', () => {
  const replaceNames = (app_id: unknown, i18n_names: unknown) =>
    admin.post('/v1/rbac/application/update-i18n-name', { app_id, i18n_names });
  const names = (record: Record<string, string>) =>
    Object.entries(record).map(([tag, i18n_name]) => ({ tag, i18n_name }));

  async function expectNames({ id, name }: TestApplication, record: Record<string, string>): Promise<void> {
    const answer = await admin.get(`/v1/rbac/application/i18n-name?app_id=${id}`);
    expectOk(answer, { app_id: id, app_name: name, i18n_names: names(record) });
  }

  it('replaces the set, in the order of the tags', async () => {
    const own = await newApplication();
    await expectNames(own, {});
    expectOk(await replaceNames(own.id, names({ ja: '窓口', en: '  Help Desk ', 'zh-Hant': '服務臺' })), {});
    await expectNames(own, { en: 'Help Desk', ja: '窓口', 'zh-Hant': '服務臺' });
    expectOk(await replaceNames(own.id, names({ de: 'Schalter', ja: 'デスク' })), {});
    await expectNames(own, { de: 'Schalter', ja: 'デスク' });
    expectOk(await replaceNames(own.id, []), {});
    await expectNames(own, {});
  });

  it.each([
    ['zh-hans-cn', 'zh-Hans-CN'],
    ['ZH-HANT', 'zh-Hant'],
    ['EN-us', 'en-US'],
    ['iw', 'he'],
    ['pt-br-x-desk', 'pt-BR-x-desk'],
  ])('keeps the tag %s as %s', async (tag, canonical) => {
    const own = await newApplication();
    expectOk(await replaceNames(own.id, names({ [tag]: 'Desk' })), {});
    await expectNames(own, { [canonical]: 'Desk' });
  });

  it('refuses with 1001 tags that are none, also beside good ones', async () => {
    const wrong = [
      '',
      ' ',
      'e',
      'en_US',
      'english language',
      '-en',
      'en-',
      'en--US',
      'en-US-',
      '123',
      '*',
      'x-desk',
    ];
    const noText = [
      null,
      undefined,
      1,
      true,
      [],
      ['en'],
      {},
      `en-${'x'.repeat(62)}`,
      `en-x-${'abcdefgh-'.repeat(8)}a`,
    ];
    await expectNothingChanged(async () => {
      for (const tag of [...wrong, ...noText, 'en\u0000', '\ud800'])
        expectFailure(
          await replaceNames(desk.id, [
            { tag: 'ja', i18n_name: 'x' },
            { tag, i18n_name: 'Desk' },
          ]),
          400,
          1001,
          expect.stringContaining('tag'),
        );
    });
  });

  it('refuses with 1001 one language given twice, also in two forms of its tag', async () => {
    const twice = [
      ['en', 'en'],
      ['zh-hans-cn', 'zh-Hans-CN'],
      ['EN', 'en'],
      ['iw', 'he'],
    ];
    await expectNothingChanged(async () => {
      for (const tags of twice) {
        const list = tags.map((tag) => ({ tag, i18n_name: 'Desk' }));
        expectFailure(await replaceNames(desk.id, list), 400, 1001, expect.stringContaining('i18n_names'));
      }
    });
  });

  it('refuses with 1001 names that are none', async () => {
    const wrong = ['', '  ', 'x'.repeat(101), 'a\nb', 'a\u0000', '\ud800', null, undefined, 1, [], ['x'], {}];
    await expectNothingChanged(async () => {
      for (const i18n_name of wrong)
        expectFailure(
          await replaceNames(desk.id, [{ tag: 'en', i18n_name }]),
          400,
          1001,
          expect.stringContaining('i18n_name'),
        );
    });
  });

  it('refuses with 1001 what is no list of names', async () => {
    const one = { tag: 'en', i18n_name: 'Desk' };
    const wrong = [
      undefined,
      null,
      {},
      one,
      'en',
      1,
      true,
      [null],
      [one, null],
      [[one]],
      [[]],
      ['en'],
      [1],
      [true],
      [{}],
    ];
    await expectNothingChanged(async () => {
      for (const list of [...wrong, Array(101).fill(one)])
        expectFailure(await replaceNames(desk.id, list), 400, 1001);
    });
  });

  it('leaves one of the sets that are put at the same moment', async () => {
    const own = await newApplication();
    const sets = Array.from({ length: 10 }, (_, turn) => ({
      en: `Desk ${turn}`,
      [`e${'abcdefghij'[turn]}`]: 'x',
    }));
    const answers = await Promise.all(sets.map((set) => replaceNames(own.id, names(set))));
    expect(countByCode(answers)).toEqual({ 0: 10 });
    const { body } = await admin.get(`/v1/rbac/application/i18n-name?app_id=${own.id}`);
    const left = (body.i18n_names as { tag: string; i18n_name: string }[]).map((one) => [
      one.tag,
      one.i18n_name,
    ]);
    expect(sets).toContainEqual(Object.fromEntries(left));
  });

  describe('names the application in mails and on pages', () => {
    const everyName = { en: 'Help Desk', ja: '総合窓口', 'zh-Hans-CN': '服务台', 'zh-Hant-TW': '服務臺' };

    /** What the verification mail and the page behind its link call the application. */
    async function namesSeen(
      own: TestApplication,
      acceptLanguage: string | undefined,
    ): Promise<[string, string]> {
      const headers: Record<string, string> = acceptLanguage ? { 'accept-language': acceptLanguage } : {};
      const account = registration({ app_id: own.name });
      expectOk(await app.client.post('/v1/user/register', account, { headers }));
      const { subject = '' } = await app.mailbox.waitFor(account.mail);
      const page = await app.client.page(await app.mailbox.linkTo(account.mail), headers);
      const shown = [...Object.values(everyName), own.name];
      const seenIn = (text: string) => shown.filter((name) => text.includes(name)).join();
      return [seenIn(subject), seenIn(page.text)];
    }

    it.each([
      ['ja-JP,ja;q=0.9,en;q=0.8', '総合窓口'],
      ['zh-CN', '服务台'],
      ['zh-TW,zh;q=0.9', '服務臺'],
      ['en-GB', 'Help Desk'],
      ['fr-FR, ja;q=0.5', '総合窓口'],
      ['fr-FR', 'Help Desk'],
      ['*', 'Help Desk'],
      [undefined, 'Help Desk'],
    ])('by the best match for %s: %s', async (acceptLanguage, name) => {
      const own = await newApplication();
      expectOk(await replaceNames(own.id, names(everyName)));
      expect(await namesSeen(own, acceptLanguage)).toEqual([name, name]);
    });

    it('by its own name where neither language nor English is there', async () => {
      const own = await newApplication();
      expectOk(await replaceNames(own.id, names({ ja: '総合窓口' })));
      expect(await namesSeen(own, 'fr-FR')).toEqual([own.name, own.name]);
    });
  });
});

describe('/v1/rbac/application/settings', () => {
  const pemOf = (curve: string) =>
    generateKeyPairSync('ec', { namedCurve: curve })
      .privateKey.export({ format: 'pem', type: 'pkcs8' })
      .toString();
  const applePrivateKey = pemOf('P-256');
  const secrets = {
    apple_private_key: applePrivateKey,
    wechat_app_secret: 'wechat-mobile-secret',
    wechat_web_app_secret: 'wechat-website-secret',
  };
  const everything = {
    redirect_urls: ['https://desk.example/in', 'org.example.desk:/in'],
    google_client_ids: ['1.apps.googleusercontent.com', '2.apps.googleusercontent.com'],
    apple_team_id: 'TEAM123456',
    apple_key_id: 'KEY1234567',
    apple_client_id: 'org.example.desk',
    wechat_app_id: 'wx0123456789abcdef',
    wechat_web_app_id: 'wxfedcba9876543210',
  };
  const everythingShown = {
    ...everything,
    apple_private_key_set: true,
    wechat_app_secret_set: true,
    wechat_web_app_secret_set: true,
  };
  const change = (own: TestApplication, fields: Fields) =>
    admin.put('/v1/rbac/application/settings', { app_id: own.id, ...fields });
  const read = ({ id }: TestApplication) => admin.get(`/v1/rbac/application/settings?app_id=${id}`);

  async function withEverything(): Promise<TestApplication> {
    const own = await newApplication();
    const answer = await change(own, { ...everything, ...secrets });
    expectOk(answer, { app_id: own.id, ...everythingShown });
    return own;
  }

  it('are empty for a new application', async () => {
    const own = await newApplication();
    expectOk(await read(own), { app_id: own.id, ...noSettings });
  });

  it('are kept, and shown without the secrets', async () => {
    const own = await withEverything();
    const answer = await read(own);
    expectOk(answer, { app_id: own.id, ...everythingShown });
    for (const secret of Object.values(secrets)) {
      expect(answer.text).not.toContain(JSON.stringify(secret).slice(1, -1));
      expect(app.log()).not.toContain(JSON.stringify(secret).slice(1, -1));
    }
  });

  it('hold the secrets encrypted in the table', async () => {
    const own = await withEverything();
    const row = await app.dataSource.manager.findOneByOrFail(ApplicationSettings, { applicationId: own.id });
    const stored = JSON.stringify(row);
    for (const secret of Object.values(secrets)) {
      const body = secret.replace(/-----.*-----|\s/g, '');
      expect(stored.replaceAll('\\n', '')).not.toContain(body);
      expect(stored).not.toContain(Buffer.from(body).toString('base64url').slice(0, 16));
    }
    expect(row.sealedApplePrivateKey).toMatch(/^v1\./);
    expect(row.sealedWechatAppSecret).toMatch(/^v1\./);
    expect(row.sealedWechatWebAppSecret).toMatch(/^v1\./);
  });

  it('stay as they are where a change says nothing, or null', async () => {
    const own = await withEverything();
    expectOk(await change(own, {}), { app_id: own.id, ...everythingShown });
    const nulls = Object.fromEntries(Object.keys({ ...everything, ...secrets }).map((key) => [key, null]));
    expectOk(await change(own, nulls), { app_id: own.id, ...everythingShown });
    const redirect_urls = ['https://desk.example/other'];
    expectOk(await change(own, { redirect_urls }), { app_id: own.id, ...everythingShown, redirect_urls });
    expectOk(await change(own, { wechat_app_secret: 'a newer one'.replaceAll(' ', '-') }), {
      app_id: own.id,
      ...everythingShown,
      redirect_urls,
    });
  });

  it('are cleared by empty values', async () => {
    const own = await withEverything();
    const wechat = { wechat_app_id: '', wechat_app_secret: '' };
    expectOk(await change(own, { redirect_urls: [], ...wechat }), {
      app_id: own.id,
      ...everythingShown,
      redirect_urls: [],
      wechat_app_id: '',
      wechat_app_secret_set: false,
    });
    const rest = Object.keys({ ...everything, ...secrets }).map((key) => [key, /s$/.test(key) ? [] : '']);
    expectOk(await change(own, Object.fromEntries(rest) as Fields), { app_id: own.id, ...noSettings });
    expectOk(await read(own), { app_id: own.id, ...noSettings });
  });

  it('of one application are not those of another', async () => {
    const own = await withEverything();
    const other = await newApplication();
    expectOk(await change(other, { google_client_ids: ['3.apps.googleusercontent.com'] }));
    expectOk(await read(own), { app_id: own.id, ...everythingShown });
  });

  const apple = {
    apple_team_id: 'TEAM123456',
    apple_key_id: 'KEY1234567',
    apple_client_id: 'org.example.desk',
    apple_private_key: applePrivateKey,
  };
  it.each<[string, Fields]>([
    ...Object.keys(apple).map((key): [string, Fields] => [`Apple without ${key}`, { ...apple, [key]: '' }]),
    ['an Apple team alone', { apple_team_id: 'TEAM123456' }],
    ['a WeChat id alone', { wechat_app_id: 'wx1' }],
    ['a WeChat secret alone', { wechat_app_secret: 'secret' }],
    ['a WeChat website id alone', { wechat_web_app_id: 'wx1' }],
    ['a WeChat website secret alone', { wechat_web_app_secret: 'secret' }],
    [
      'the id of one WeChat app and the secret of the other',
      { wechat_app_id: 'wx1', wechat_web_app_secret: 's' },
    ],
    ['a whole provider beside half of another', { ...apple, wechat_app_id: 'wx1' }],
  ])('refuse %s with 1001', async (_what, fields) => {
    const own = await newApplication();
    await expectRefused(
      () => change(own, { redirect_urls: ['https://desk.example/in'], ...fields }),
      400,
      1001,
    );
  });

  it('refuse with 1001 to lose a part of a provider', async () => {
    const own = await withEverything();
    for (const key of [...Object.keys(apple), 'wechat_app_id', 'wechat_app_secret', 'wechat_web_app_secret'])
      await expectRefused(() => change(own, { [key]: '' }), 400, 1001);
  });

  it.each([
    'https://desk.example/in',
    'http://localhost:3000/in?from=pluto',
    'https://desk.example',
    'https://[::1]:8443/in',
    'https://xn--n3h.example/%E7%AA%93',
    'org.example.desk:/in',
    'org.example.desk://in',
    'com.googleusercontent.apps.1234-abc:/oauth2redirect',
  ])('take %s as a redirect URL', async (url) => {
    const own = await newApplication();
    const answer = await change(own, { redirect_urls: [url] });
    expectOk(answer);
    expect(answer.body.redirect_urls).toEqual([url]);
  });

  it('refuse other redirect URLs with 1001', async () => {
    const wrong = [
      'javascript:alert(1)',
      'JavaScript:alert(1)//desk.example',
      'data:text/html,x',
      'vbscript:x',
      'file:///etc/passwd',
      'blob:https://desk.example/1',
      'about:blank',
      'desk:/in',
      'https://desk.example/in#part',
      'https://desk.example/in#',
      'org.example.desk:/in#part',
      '/in',
      '//desk.example/in',
      'desk.example/in',
      'in',
      '?in',
      '',
      ' ',
      'https://',
      'https:desk.example/in',
      'https:/desk.example/in',
      'https:///desk.example/in',
      'https:\\\\desk.example/in',
      'https://desk.example\\in',
      'https://*.desk.example/in',
      'https://%2a.desk.example/in',
      'https://user:secret@desk.example/in',
      'https://user@desk.example/in',
      ' https://desk.example/in',
      'https://desk.example/in ',
      'https://desk.example/a b',
      'https://desk.example/\n',
      'java\nscript:alert(1)',
      'https://desk.example/窓口',
      `https://desk.example/${'x'.repeat(2048)}`,
      null,
      1,
      true,
      {},
      ['https://desk.example/in'],
    ];
    const own = await newApplication();
    await expectNothingChanged(async () => {
      for (const url of wrong)
        expectFailure(
          await change(own, { redirect_urls: ['https://desk.example/good', url] }),
          400,
          1001,
          expect.stringContaining('redirect_urls'),
        );
      for (const list of ['https://desk.example/in', {}, 1, true, Array(101).fill('https://desk.example/in')])
        expectFailure(await change(own, { redirect_urls: list }), 400, 1001);
    });
  });

  it('refuse with 1001 other values of the wrong kind', async () => {
    const own = await withEverything();
    const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
    const keys = [
      rsa.export({ format: 'pem', type: 'pkcs8' }),
      'no key',
      applePrivateKey.slice(0, 60),
      pemOf('P-384'),
      'x'.repeat(9000),
    ];
    await expectNothingChanged(async () => {
      for (const key of keys) expectFailure(await change(own, { apple_private_key: key }), 400, 1001);
      for (const ids of [[''], ['a b'], ['x'.repeat(256)], [1], [null], 'a', {}])
        expectFailure(await change(own, { google_client_ids: ids }), 400, 1001);
      for (const field of [...Object.keys(apple), 'wechat_app_id', 'wechat_app_secret', 'wechat_web_app_id'])
        for (const value of [1, true, [], {}, 'a b', 'a\u0000', '窓口', 'x'.repeat(9000)])
          expectFailure(await change(own, { [field]: value }), 400, 1001, expect.stringContaining(field));
    });
  });

  it('all hold after changes of different fields at the same moment', async () => {
    const own = await newApplication();
    const changes: Fields[] = [
      { redirect_urls: everything.redirect_urls },
      { google_client_ids: everything.google_client_ids },
      apple,
      { wechat_app_id: everything.wechat_app_id, wechat_app_secret: secrets.wechat_app_secret },
      {
        wechat_web_app_id: everything.wechat_web_app_id,
        wechat_web_app_secret: secrets.wechat_web_app_secret,
      },
    ];
    const answers = await Promise.all(changes.map((fields) => change(own, fields)));
    expect(countByCode(answers)).toEqual({ 0: changes.length });
    expectOk(await read(own), {
      app_id: own.id,
      ...everythingShown,
      apple_team_id: apple.apple_team_id,
      apple_client_id: apple.apple_client_id,
    });
  });
});

// At the end, because passport knows the keys of one server a process: those of the one started last.
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

  it('may be left by changes that keep the administration', async () => {
    expectOk(await promote(first, first), {});
    expectOk(await putScopes(roles[PLUTO.adminRole], [PLUTO.adminScope], first), {});
    expectOk(await putScopes(roles[PLUTO.adminRole], [PLUTO.userScope, PLUTO.adminScope], first), {});
    expectOk(await putScopes(roles[PLUTO.userRole], [], first), {});
    expectOk(await putScopes(roles[PLUTO.userRole], [PLUTO.userScope], first), {});
    expect(await isAdministrator(first)).toBe(true);
  });

  it('is the one who stays when two demote each other at the same moment, ten times', async () => {
    const second = await addAdministrator(house);
    for (let turn = 0; turn < 10; turn++) {
      const answers = await Promise.all([demote(second, first), demote(first, second)]);
      // Who is demoted before the own request is let in is no administrator any more.
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

  it('is the one who stays when two delete themselves at the same moment, ten times', async () => {
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

  it('is the one whose role keeps pluto.admin when two roles lose it at the same moment, ten times', async () => {
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

  it.each([['PUT'], ['POST']])('is not given pluto.admin through %s role/scope: 1002', async (method) => {
    for (const names of [[PLUTO.adminScope], [PLUTO.userScope, PLUTO.adminScope]])
      await expectForbidden(() => putScopes(own.roles[PLUTO.userRole]!, names, method));
    expect(await newcomersScopes()).toEqual([PLUTO.userScope]);
  });

  it('may be any other, whose scopes may change', async () => {
    expectOk(await setDefault(staff), {});
    expectOk(await putScopes(staff, [PLUTO.userScope]), {});
    expectOk(await putScopes(own.roles[PLUTO.userRole]!, [PLUTO.adminScope]), {});
    expectOk(await putScopes(own.roles[PLUTO.userRole]!, [PLUTO.userScope]), {});
    expectOk(await setDefault(own.roles[PLUTO.userRole]!), {});
  });

  it('has no pluto.admin when it is set while the role is given that scope, ten times', async () => {
    for (let turn = 0; turn < 10; turn++) {
      expectOk(await putScopes(staff, [PLUTO.userScope]), {});
      const asked = [() => setDefault(staff), () => putScopes(staff, [PLUTO.userScope, PLUTO.adminScope])];
      const answers = await Promise.all((turn % 2 ? asked : asked.reverse()).map((ask) => ask()));
      expect(countByCode(answers)).toEqual({ 0: 1, 1002: 1 });
      expect(await newcomersScopes()).not.toContain(PLUTO.adminScope);
      expectOk(await setDefault(own.roles[PLUTO.userRole]!), {});
    }
  });

  it('is mended by either change where an earlier version gave it pluto.admin', async () => {
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
