import { addAccount } from '../support/accounts.js';
import { ADMIN, startTestApp } from '../support/app.js';
import { firstAdministrator } from '../support/administration.js';
import { nextNumber, type Answer } from '../support/client.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { APP_ID, app, jwt, OldClient, payloadOf, useOldClients } from '../support/old-clients.js';

// What the Vue admin app of 2020 and its version of 2024 send with axios from another origin, and what their
// pages read.

const ORIGIN = 'https://admin.example.com';

useOldClients({ LEGACY_ADMIN: 'true', CORS_ORIGINS: ORIGIN });

interface Listed {
  id: number;
  name: string;
}

let page: OldClient;
let token: string;
beforeAll(async () => {
  const headers = {
    accept: 'application/json, text/plain, */*',
    'accept-encoding': 'gzip, deflate, br',
    'accept-language': 'zh-CN,zh;q=0.9',
    origin: ORIGIN,
  };
  page = new OldClient(app.client, headers, 'application/json;charset=utf-8');
  const { accessToken } = await signIn();
  token = accessToken;
});

async function signIn(): Promise<{ accessToken: string; refreshToken: string }> {
  const body = { account: ADMIN.mail, password: ADMIN.password, app_id: 'pluto', device_id: 'xxxx' };
  const answer = await page.send('POST', '/v1/user/login/account', { body });
  expectOk(answer);
  const { access_token: accessToken, refresh_token: refreshToken } = answer.body as Record<string, string>;
  expect(payloadOf(accessToken!)).toMatchObject({ exp: expect.any(Number), sub: expect.any(Number) });
  return { accessToken: accessToken!, refreshToken: refreshToken! };
}

/** Reads as axios does: a script of another origin sees only what CORS allows. */
async function request(method: string, path: string, body?: object): Promise<Answer> {
  const answer = await page.send(method, path, { headers: jwt(token), ...(body && { body }) });
  expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN);
  return answer;
}

async function read<T>(path: string): Promise<T> {
  const answer = await request('GET', path);
  expectOk(answer);
  return answer.body as T;
}

async function write(method: string, path: string, body: object): Promise<void> {
  expectOk(await request(method, path, body));
}

async function findApplication(name: string): Promise<Listed> {
  const { applications } = await read<{ applications: Listed[] }>('/v1/rbac/application/list');
  const found = applications.find((application) => application.name === name);
  if (!found) throw new Error(`${name} is not in the list`);
  return found;
}

interface RolePage {
  application: Listed & { default_role: number | null };
  roles: (Listed & { default_scope: number | null; scopes: Listed[] })[];
}
const rolePage = (id: number) => read<RolePage>(`/v1/rbac/role/list?app_id=${id}`);
const scopePage = (id: number) =>
  read<{ application: Listed; scopes: Listed[] }>(`/v1/rbac/scope/list?app_id=${id}`);

/** An application with a role and two scopes, made on the pages. */
async function makeApplication(): Promise<{ id: number; role: number; scopes: [number, number] }> {
  const name = `org.example.made${nextNumber()}`;
  await write('POST', '/v1/rbac/application/create', { name });
  const { id } = await findApplication(name);
  await write('POST', '/v1/rbac/role/create', { app_id: id, name: 'editor' });
  for (const scope of ['read', 'write'])
    await write('POST', '/v1/rbac/scope/create', { app_id: id, name: scope });
  const { roles } = await rolePage(id);
  const { scopes } = await scopePage(id);
  return { id, role: roles[0]!.id, scopes: [scopes[0]!.id, scopes[1]!.id] };
}

describe('the old admin app', () => {
  it('is allowed by preflight requests', async () => {
    for (const method of ['GET', 'POST', 'PUT']) {
      const answer = await app.client.request('OPTIONS', '/v1/rbac/role/scope', {
        headers: {
          origin: ORIGIN,
          'access-control-request-method': method,
          'access-control-request-headers': 'authorization,content-type',
        },
      });
      expect(answer.status).toBe(204);
      expect(answer.headers.get('access-control-allow-headers')).toBe('authorization,content-type');
    }
  });

  it('signs in, knows its role, and refreshes', async () => {
    const { accessToken, refreshToken } = await signIn();
    const info = await page.send('GET', '/v1/user/info', { headers: jwt(accessToken) });
    expect(info.body).toMatchObject({
      mail: ADMIN.mail,
      role: 'admin',
      name: expect.any(String),
      avatar: expect.any(String),
    });
    const body = { refresh_token: refreshToken, app_id: 'pluto' };
    const refreshed = await page.send('POST', '/v1/token/refresh', { body });
    expect(payloadOf(refreshed.body.access_token as string)).toMatchObject({ scopes: ['pluto.admin'] });
  });

  it('lists applications as an object, and creates one', async () => {
    const { applications } = await read<{ applications: Listed[] }>('/v1/rbac/application/list');
    expect(applications.map(({ name }) => name)).toEqual(expect.arrayContaining(['pluto', APP_ID]));
    const { id } = await makeApplication();
    expect((await scopePage(id)).application).toMatchObject({ id, name: expect.any(String) });
  });

  it.each([
    ['of 2020', 'POST', '/v1/rbac/role/scope/batch'],
    ['of 2024', 'PUT', '/v1/rbac/role/scope'],
  ])('%s sets the scopes of a role, its default scope, and the default role', async (_year, method, path) => {
    const { id, role, scopes } = await makeApplication();
    await write(method, path, { role_id: role, scopes });
    await write('POST', '/v1/rbac/role/scope/default', { role_id: role, scope_id: scopes[1] });
    await write('POST', '/v1/rbac/application/role/default', { app_id: id, role_id: role });
    const { application, roles } = await rolePage(id);
    expect(application.default_role).toBe(role);
    expect(roles).toEqual([
      {
        id: role,
        name: 'editor',
        default_scope: scopes[1],
        scopes: [
          { id: scopes[0], name: 'read' },
          { id: scopes[1], name: 'write' },
        ],
      },
    ]);
    await write(method, path, { role_id: role, scopes: [] });
    expect((await rolePage(id)).roles[0]!.scopes).toEqual([]);
  });

  it('adds, changes and removes names, a new one as `i18N_name`', async () => {
    const { id } = await makeApplication();
    const readNames = async () =>
      (await read<{ app_name: string; i18n_names: object[] }>(`/v1/rbac/application/i18n-name?app_id=${id}`))
        .i18n_names;
    const save = (i18n_names: object[]) =>
      write('POST', '/v1/rbac/application/update-i18n-name', { app_id: id, i18n_names });
    await save([...(await readNames()), { tag: 'ja', i18N_name: '読書' }]);
    expect(await readNames()).toEqual([{ tag: 'ja', i18n_name: '読書' }]);
    await save([...(await readNames()), { tag: 'zh-Hans', i18N_name: '阅读' }]);
    await save((await readNames()).map((name) => ({ ...name, i18n_name: '読む' })));
    expect(await readNames()).toEqual([
      { tag: 'ja', i18n_name: '読む' },
      { tag: 'zh-Hans', i18n_name: '読む' },
    ]);
    await save((await readNames()).slice(0, 1));
    expect(await readNames()).toEqual([{ tag: 'ja', i18n_name: '読む' }]);
  });

  it('finds users and gives them roles', async () => {
    const { id: userId, name } = await addAccount(app, { app_id: APP_ID });
    interface Found extends Listed {
      applications: (Listed & { roles: Listed[] })[];
    }
    const find = () => read<{ users: Found[] }>(`/v1/user/search?name=${name}`);
    const [user] = (await find()).users.filter(({ id }) => id === userId);
    expect(user).toMatchObject({ name, applications: [{ name: APP_ID, roles: [{ name: 'reader' }] }] });
    const applicationId = user!.applications[0]!.id;
    const guest = (await rolePage(applicationId)).roles.find((role) => role.name === 'guest')!;
    const body = { app_id: applicationId, user_id: userId, role_id: guest.id };
    await write('POST', '/v1/rbac/user/application/role', body);
    const [changed] = (await find()).users.filter(({ id }) => id === userId);
    expect(changed!.applications[0]!.roles).toEqual([{ id: guest.id, name: 'guest' }]);
    expect(await read('/v1/user/summary')).toMatchObject({ total: expect.any(Number) });
  });

  it('registers clients and approves or denies them', async () => {
    const client = {
      key: `desk${nextNumber()}`,
      secret: 'tAr2h1vQ8mXw0sZp4LkN6yBd',
      redirect_uri: 'https://desk.example.com/back',
    };
    await write('POST', '/v1/oauth/client', client);
    for (const status of ['approved', 'denied']) {
      await write('PUT', '/v1/oauth/client/status', { key: client.key, status });
      const { clients } = await read<{ clients: object[] }>('/v1/oauth/client');
      expect(clients).toContainEqual(expect.objectContaining({ key: client.key, status }));
    }
  });

  it('asks for its own reset mail without naming the application', async () => {
    const { mail } = await addAccount(app);
    await write('POST', '/v1/user/password/reset/mail', { mail });
    expect(await app.mailbox.linkTo(mail)).toContain('/web/password/reset/');
    const elsewhere = await addAccount(app, { app_id: APP_ID });
    await write('POST', '/v1/user/password/reset/mail', { mail: elsewhere.mail, app_id: APP_ID });
    expect(await app.mailbox.linkTo(elsewhere.mail)).toContain('/web/password/reset/');
  });
});

describe('without LEGACY_ADMIN', () => {
  it('the reference holds, and a new name may still be `i18N_name`', async () => {
    const server = await startTestApp({ on: app, sendMails: false });
    const admin = await firstAdministrator(server);
    const list = await server.client.get('/v1/rbac/application/list');
    expectOk(list, expect.arrayContaining([expect.objectContaining({ name: 'pluto' })]));
    const batch = await admin.post('/v1/rbac/role/scope/batch', { role_id: 1, scopes: [] });
    expectFailure(batch, 404, 1005);
    expectFailure(await server.client.post('/v1/user/password/reset/mail', ADMIN), 400, 1001);
    const { id } = (list.body as Listed[]).find(({ name }) => name === APP_ID)!;
    const names = (i18n_names: unknown) =>
      admin.post('/v1/rbac/application/update-i18n-name', { app_id: id, i18n_names });
    expectOk(await names([{ tag: 'en', i18N_name: 'Reader', i18n_name: undefined }]));
    expectOk(await names([{ tag: 'en', i18N_name: 'ignored', i18n_name: 'Reader' }]));
    const answer = await admin.get(`/v1/rbac/application/i18n-name?app_id=${id}`);
    expect(answer.body.i18n_names).toEqual([{ tag: 'en', i18n_name: 'Reader' }]);
    for (const i18N_name of [1, null, '', 'a\u0000b'])
      expectFailure(await names([{ tag: 'en', i18N_name }]), 400, 1001, expect.stringContaining('i18n_name'));
    await server.stop();
  });
});
