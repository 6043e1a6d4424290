import { PLUTO } from '../../src/applications/pluto-names.js';
import { ApplicationName } from '../../src/applications/application-name.entity.js';
import { ApplicationSettings } from '../../src/applications/application-settings.entity.js';
import { Application } from '../../src/applications/application.entity.js';
import { RoleScope } from '../../src/rbac/role-scope.entity.js';
import { Role } from '../../src/rbac/role.entity.js';
import { Scope } from '../../src/rbac/scope.entity.js';
import { UserRole } from '../../src/rbac/user-role.entity.js';
import { type Caller, firstAdministrator } from './administration.js';
import { startTestApp, type TestApp } from './app.js';
import { addApplication, type TestApplication } from './applications.js';
import { nextNumber, type Answer } from './client.js';
import { expectFailure } from './expectations.js';
import { addUser } from './users.js';

export const INT32_MAX = 2 ** 31 - 1;
export const UNKNOWN = INT32_MAX;

export type Fields = Record<string, unknown>;

export interface Operation {
  method: 'GET' | 'POST' | 'PUT';
  path: string;
  /** The fields that take an id. */
  ids: string[];
  /** A request that succeeds: the query of a GET, else the body. */
  request: () => Fields;
  answer: (request: Fields) => unknown;
}

export let app: TestApp;
export let admin: Caller;
/** The application that most is done to, and one that it must be kept apart from. */
export let desk: TestApplication;
export let shop: TestApplication;
export let pluto: TestApplication;
export let deskUserId: number;

export const unusedName = (kind: string) => `${kind}${nextNumber()}`;

/** An application of its own for a test that changes what others would look at. */
export function newApplication(roles: Record<string, string[]> = {}): Promise<TestApplication> {
  return addApplication(app, { name: unusedName('org.example.app'), roles });
}

export async function plutoOf({ dataSource: { manager } }: TestApp): Promise<TestApplication> {
  const { id, name } = await manager.findOneByOrFail(Application, { nameKey: PLUTO.application });
  const idsByName = async (kind: typeof Role | typeof Scope) => {
    const rows = await manager.findBy<Role | Scope>(kind, { applicationId: id });
    return Object.fromEntries(rows.map((row) => [row.name, row.id]));
  };
  return { id, name, roles: await idsByName(Role), scopes: await idsByName(Scope) };
}

/** Everything that can be set here, as the database has it. */
async function stateOf({ dataSource }: TestApp): Promise<string[]> {
  const tables = [Application, Role, Scope, RoleScope, UserRole, ApplicationName, ApplicationSettings];
  const rows = await Promise.all(tables.map((table) => dataSource.manager.find<object>(table)));
  return rows.flatMap((ofOne, place) => ofOne.map((row) => tables[place]?.name + JSON.stringify(row)).sort());
}

export async function expectNothingChanged(work: () => Promise<unknown>, of = app): Promise<void> {
  const before = await stateOf(of);
  await work();
  expect(await stateOf(of)).toEqual(before);
}

/** Asserts a refusal that left everything as it was. */
export async function expectRefused(ask: () => Promise<Answer>, status: number, code: number): Promise<void> {
  await expectNothingChanged(async () => expectFailure(await ask(), status, code));
}

export interface ListedRole {
  id: number;
  name: string;
  default_scope: number | null;
  scopes: { id: number; name: string }[];
}

export async function listedRole({ id, roles }: TestApplication, name: string): Promise<ListedRole> {
  const answer = await app.client.get(`/v1/rbac/role/list?app_id=${id}`);
  const found = (answer.body.roles as ListedRole[]).find((role) => role.id === roles[name]);
  if (!found) throw new Error(`the role ${name} is not in the list: ${answer.text}`);
  return found;
}

export async function scopeIdsOf(application: TestApplication, role: string): Promise<number[]> {
  return (await listedRole(application, role)).scopes.map(({ id }) => id);
}

export const replaceScopes = (role_id: unknown, scopes: unknown) =>
  admin.put('/v1/rbac/role/scope', { role_id, scopes });
export const setDefaultScope = (role_id: unknown, scope_id: unknown) =>
  admin.put('/v1/rbac/role/scope/default', { role_id, scope_id });
export const setDefaultRole = (app_id: unknown, role_id: unknown) =>
  admin.post('/v1/rbac/application/role/default', { app_id, role_id });
export const setUserRole = (user_id: unknown, app_id: unknown, role_id: unknown, by: Caller = admin) =>
  by.post('/v1/rbac/user/application/role', { user_id, app_id, role_id });

const created = ({ app_id, name }: Fields) => ({ id: expect.any(Number), app_id, name });
const nothing = () => ({});
const allScopesOfAgent = () => ({ role_id: desk.roles.agent, scopes: Object.values(desk.scopes) });
const writeAsDefault = () => ({ role_id: desk.roles.agent, scope_id: desk.scopes['desk.write'] });
export const noSettings = {
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
  require_recent_sign_in: false,
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

export const table: [string, Operation][] = Object.entries(operations);

/**
 * Starts a server with the application `desk`, in which most is done, and `shop`, from which it must be kept
 * apart.
 */
export function useDesk(): void {
  beforeAll(async () => {
    app = await startTestApp();
    admin = await firstAdministrator(app);
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
}
