import { grantTypes } from '../../src/oauth/oauth.dto.js';
import { Application } from '../../src/applications/application.entity.js';
import { ApplicationName } from '../../src/applications/application-name.entity.js';
import { ApplicationSettings } from '../../src/applications/application-settings.entity.js';
import { PLUTO } from '../../src/applications/pluto-names.js';
import { RoleScope } from '../../src/rbac/role-scope.entity.js';
import { Role } from '../../src/rbac/role.entity.js';
import { Scope } from '../../src/rbac/scope.entity.js';
import { UserRole } from '../../src/rbac/user-role.entity.js';
import { Identity } from '../../src/users/identity.entity.js';
import { User } from '../../src/users/user.entity.js';
import { login, type Tokens } from '../support/accounts.js';
import { ADMIN, startTestApp, type TestApp } from '../support/app.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { Browser, type Fields } from '../support/oauth.js';
import { exampleOf, type Document, type Operation, type Response } from './document.js';

let app: TestApp;
let document: Document;

beforeAll(async () => {
  app = await startTestApp();
  document = (await app.client.get('/openapi.json')).json as Document;
});
afterAll(() => app.close());

interface Example {
  method: string;
  path: string;
  type?: string;
  body?: unknown;
}

/**
 * Every request that a reader of the document may send: its named examples, and those made of its fields'
 * own.
 */
function examples(): Example[] {
  return Object.entries(document.paths)
    .filter(([path]) => path.startsWith('/v1/'))
    .flatMap(([path, item]) =>
      Object.entries(item).flatMap(([method, operation]) => {
        const request = { method: method.toUpperCase(), path: filled(path, operation) };
        const contents = Object.entries(operation.requestBody?.content ?? {});
        if (contents.length === 0) return [request];
        return contents.flatMap(([type, content]) =>
          bodiesOf(content).map((body) => ({ ...request, type, body })),
        );
      }),
    );
}

function filled(path: string, { parameters }: Operation): string {
  const query = new URLSearchParams();
  let target = path;
  for (const { name, in: place, schema } of parameters)
    for (const value of [exampleOf(document, schema)].flat().map(String))
      if (place === 'query') query.append(name, value);
      else target = target.replace(`{${name}}`, encodeURIComponent(value));
  return query.size > 0 ? `${target}?${query.toString()}` : target;
}

function bodiesOf({ schema, examples: named = {} }: Response['content'][string]): unknown[] {
  return [...Object.values(named).map(({ value }) => value), exampleOf(document, schema)];
}

/** What Pluto itself needs: its application with roles and scopes, and its administrator. */
async function essentials(): Promise<unknown> {
  const { manager } = app.dataSource;
  const { revision, ...application } = await manager.findOneByOrFail(Application, {
    nameKey: PLUTO.application,
  });
  expect(revision).toEqual(expect.any(Number));
  const ofPluto = { where: { applicationId: application.id } };
  const roles = await manager.find(Role, { ...ofPluto, order: { id: 'ASC' } });
  const {
    id: userId,
    name,
    handle,
    isHandleUpdated,
    avatarUrl,
    avatarFile,
    passwordHash,
  } = await manager.findOneByOrFail(User, { handle: 'admin' });
  const identities = await manager.findBy(Identity, { userId });
  return {
    application,
    roles: roles.map(({ id, name: roleName, defaultScopeId }) => ({ id, roleName, defaultScopeId })),
    scopes: await manager.find(Scope, { ...ofPluto, order: { id: 'ASC' } }),
    attached: await manager.find(RoleScope, { order: { roleId: 'ASC', scopeId: 'ASC' } }),
    names: await manager.find(ApplicationName, ofPluto),
    settings: await manager.find(ApplicationSettings, ofPluto),
    given: await manager.find(UserRole, ofPluto),
    administrator: { userId, name, handle, isHandleUpdated, avatarUrl, avatarFile, passwordHash },
    identities,
  };
}

describe('the examples of the document', () => {
  it('leave a new server as it is when its administrator sends them all, twice', async () => {
    const before = await essentials();
    const { access_token: token } = await login(app, ADMIN);
    for (const { method, path, type, body } of [...examples(), ...examples()]) {
      const isForm = type === 'application/x-www-form-urlencoded';
      const answer = await app.client.request(method, path, {
        token,
        ...(type !== undefined && { headers: { 'content-type': type } }),
        ...(body !== undefined && {
          body: isForm ? new URLSearchParams(body as Record<string, string>).toString() : body,
        }),
      });
      expect([path, answer.status]).not.toEqual([path, 500]);
      expect({ path, body, left: await essentials() }).toEqual({ path, body, left: before });
    }
  });
});

describe('the examples of clients and tokens', () => {
  const ROUTES = { register: '/v1/user/register', client: '/v1/oauth/client' };
  let server: TestApp;
  let user: { mail: string; password: string; app_id: string };
  beforeAll(async () => {
    server = await startTestApp({ env: { SKIP_REGISTER_VERIFY_MAIL: 'true' } });
    user = shown('post', ROUTES.register) as typeof user;
    expectOk(await server.client.post(ROUTES.register, user));
    const { access_token: token } = await login(server, ADMIN);
    const client = shown('post', ROUTES.client);
    expectOk(await server.client.post(ROUTES.client, client, { token }));
    const path = `${ROUTES.client}/status`;
    expectOk(await server.client.put(path, shown('put', path), { token }), {
      key: 'desk',
      status: 'approved',
    });
  });
  afterAll(() => server.close());

  /** What Swagger UI would send. */
  const shown = (method: string, path: string) =>
    bodiesOf(document.paths[path]![method]!.requestBody!.content['application/json']!)[0];
  const named = (type: string): Record<string, Fields> =>
    Object.fromEntries(
      Object.entries(
        document.paths['/v1/oauth/tokens']!.post!.requestBody!.content[type]!.examples ?? {},
      ).map(([name, { value }]) => [name, value as Fields]),
    );
  const ask = (body: Fields) => server.client.post('/v1/oauth/tokens', body);

  it.each(['application/json', 'application/x-www-form-urlencoded'])(
    'are one for each grant as %s',
    (type) => {
      expect(Object.values(named(type)).map(({ grant_type }) => grant_type)).toEqual([...grantTypes]);
    },
  );

  it('get the tokens of the user and of the client that they make', async () => {
    const { password, clientCredentials } = named('application/json');
    expectOk(await ask(password!));
    expectOk(await ask(clientCredentials!));
  });

  it('exchange the code of the authorization request that they show, and its refresh token', async () => {
    const { authorizationCode, refreshToken } = named('application/json');
    const browser = await Browser.signIn(server, user);
    const query = Object.fromEntries(
      document.paths['/web/authorize']!.get!.parameters.map(({ name, schema }) => [
        name,
        String(exampleOf(document, schema)),
      ]),
    );
    const { searchParams } = await browser.allow(`/web/authorize?${new URLSearchParams(query).toString()}`);
    const answer = await ask({ ...authorizationCode!, code: searchParams.get('code')! });
    expectOk(answer);
    const { refresh_token } = answer.body as Tokens;
    expectOk(await ask({ ...refreshToken!, refresh_token }));
  });

  it('know the client though the code or token is none', async () => {
    const { authorizationCode, refreshToken } = named('application/json');
    expectFailure(await ask(authorizationCode!), 403, 5002);
    expectFailure(await ask(refreshToken!), 403, 3002);
  });
});
