import { createHmac, createSign, type KeyObject } from 'node:crypto';
import { RouteIndex } from '../../src/common/http/route-index.js';
import { nowSeconds } from '../../src/common/time.js';
import { Application } from '../../src/applications/application.entity.js';
import { Role } from '../../src/rbac/role.entity.js';
import { UserRole } from '../../src/rbac/user-role.entity.js';
import type { AccessClaims } from '../../src/token/access-claims.js';
import { Session } from '../../src/token/session.entity.js';
import { SigningKeysService } from '../../src/token/signing-keys.service.js';
import { login, signedIn } from '../support/accounts.js';
import { ADMIN, startTestApp, type TestApp } from '../support/app.js';
import { addApplication, giveRole, type TestApplication } from '../support/applications.js';
import type { Answer } from '../support/client.js';
import { rsaKeys } from '../support/rsa-keys.js';
import { decodeToken, encodePart } from '../support/tokens.js';

/**
 * Who may call a route: `public` everyone (pages go by cookies of their own), `file` everyone, and nothing
 * runs; the others the bearer of a token, of any application, or of `pluto` with `pluto.user` or
 * `pluto.admin`.
 */
type Access = 'public' | 'file' | 'accessToken' | 'user' | 'admin';

/** Every route there is. One that is not here fails the test, as does a line without a route. */
const accessTable: Record<string, Access> = {
  'GET /': 'public',
  'GET /.well-known/jwks.json': 'public',
  'GET /health/live': 'public',
  'GET /health/ready': 'public',
  'GET /openapi.json': 'file',
  'GET /docs': 'file',
  'GET /docs/': 'file',
  'GET /docs/*': 'file',
  'GET /docs/LICENSE': 'file',
  'GET /docs/index.html': 'file',
  'GET /docs/swagger-ui-init.js': 'file',
  'GET /docs/docs/swagger-ui-init.js': 'file',
  'GET /avatars/*': 'file',
  'GET /web/assets/*': 'file',

  'GET /v1/healthcheck': 'public',

  'POST /v1/user/register': 'public',
  'POST /v1/user/register/verify/mail': 'public',
  'POST /v1/user/login/account': 'public',
  'POST /v1/user/login/google/mobile': 'public',
  'POST /v1/user/login/apple/mobile': 'public',
  'GET /v1/user/login/wechat/web': 'public',
  'POST /v1/user/login/wechat/mobile': 'public',
  'POST /v1/user/password/reset/mail': 'public',

  'GET /v1/user/info': 'accessToken',
  'PUT /v1/user/info': 'accessToken',
  'GET /v1/user/info/public': 'public',
  'GET /v1/user/info/:userId/public': 'public',
  'POST /v1/user/delete': 'accessToken',
  'POST /v1/user/binding': 'accessToken',
  'POST /v1/user/unbinding': 'accessToken',
  'POST /v1/user/mail/change': 'accessToken',
  'POST /v1/user/reauthenticate': 'accessToken',
  'POST /v1/user/password/change': 'accessToken',
  'POST /v1/user/logout': 'public',
  'GET /v1/user/session/list': 'accessToken',
  'POST /v1/user/session/end': 'accessToken',
  'POST /v1/user/session/end-others': 'accessToken',

  'GET /v1/user/search': 'admin',
  'GET /v1/user/summary': 'admin',

  'GET /v1/audit': 'admin',

  'POST /v1/rbac/role/create': 'admin',
  'POST /v1/rbac/scope/create': 'admin',
  'PUT /v1/rbac/role/scope': 'admin',
  'POST /v1/rbac/role/scope': 'admin',
  'PUT /v1/rbac/role/scope/default': 'admin',
  'POST /v1/rbac/role/scope/default': 'admin',
  'POST /v1/rbac/application/create': 'admin',
  'POST /v1/rbac/application/update-i18n-name': 'admin',
  'GET /v1/rbac/application/i18n-name': 'admin',
  'POST /v1/rbac/application/role/default': 'admin',
  'GET /v1/rbac/application/settings': 'admin',
  'PUT /v1/rbac/application/settings': 'admin',
  'GET /v1/rbac/application/list': 'public',
  'GET /v1/rbac/role/list': 'public',
  'GET /v1/rbac/scope/list': 'public',
  'POST /v1/rbac/user/application/role': 'admin',

  'POST /v1/token/refresh': 'public',
  'GET /v1/token/publickey': 'public',
  'GET /v1/token/access/verify': 'public',
  'POST /v1/token/access/verify': 'public',

  'POST /v1/oauth/tokens': 'public',
  'GET /v1/oauth/client': 'user',
  'POST /v1/oauth/client': 'user',
  'PUT /v1/oauth/client/status': 'admin',
  'PUT /v1/oauth/client/application': 'admin',

  'GET /web/authorize': 'public',
  'POST /web/authorize': 'public',
  'GET /web/login': 'public',
  'POST /web/login': 'public',
  'GET /web/login/wechat': 'public',
  'GET /web/login/wechat/back': 'public',
  'POST /web/logout': 'public',
  'GET /web/password/forgot': 'public',
  'POST /web/password/forgot': 'public',
  'GET /web/mail/verify/:token': 'public',
  'POST /web/mail/verify/:token': 'public',
  'GET /web/mail/change/:token': 'public',
  'POST /web/mail/change/:token': 'public',
  'GET /web/mail/change/undo/:token': 'public',
  'POST /web/mail/change/undo/:token': 'public',
  'GET /web/password/reset/:token': 'public',
  'POST /web/password/reset/:token': 'public',
};

interface Refusal {
  /** Completes "refuses …". */
  bearer: string;
  /** The `Authorization` header; null for none. */
  authorization: () => string | null;
  status: number;
  code: number;
}

/** The codes of the guards. */
const GUARD_CODES = [1003, 3003, 3008, 3009, 4008, 4010];

const refused = (bearer: string, code: number, authorization: () => string | null): Refusal => ({
  bearer,
  authorization,
  status: code === 1003 ? 401 : 403,
  code,
});

const refusals: Refusal[] = [
  refused('a request without a token', 1003, () => null),
  refused('credentials of another scheme', 1003, () => 'Basic YW5uOmNvcnJlY3QgaG9yc2U='),
  refused('a scheme without a token', 1003, () => 'Bearer'),
  refused('junk', 3003, () => 'Bearer junk'),
  refused('a token of another type', 3003, () => bearer({ type: 'page' })),
  refused('a token without a type', 3003, () => bearer({ type: undefined })),
  refused('a token signed by someone else', 3003, () => `Bearer ${sign(ann, strangersKey)}`),
  refused('a token whose claims were changed', 3003, () => `Bearer ${tampered(annsToken)}`),
  refused('an unsigned token', 3003, () => `Bearer ${unsigned()}`),
  refused('a token signed with the public key as a secret', 3003, () => `Bearer ${signedByPublicKey()}`),
  refused('an expired token', 3008, () => bearer({ iat: nowSeconds() - 7200, exp: nowSeconds() - 3600 })),
  refused('a token whose session has ended', 3009, () => `Bearer ${endedToken}`),
  refused("a token with another account's session", 3009, () => bearer({ sub: ann.sub + 1000 })),
];

const userRefusals: Refusal[] = [
  ...refusals,
  refused('a token of another application with the same scopes', 3009, () => `Bearer ${shopToken}`),
  refused('a token without the scope', 4010, () => bearer({ scopes: [] })),
  refused('a token of who has lost the role since', 4010, () => `Bearer ${formerUserToken}`),
];

const adminRefusals: Refusal[] = [
  ...refusals,
  refused('a token of another application with the same scopes', 3009, () => `Bearer ${shopToken}`),
  refused('a token without the scope', 4008, () => `Bearer ${annsToken}`),
  refused("an administrator's token without the scope", 4008, () =>
    bearer({ ...admin, scopes: ['pluto.user'] }),
  ),
  refused('a token of who has lost the role since', 4008, () => `Bearer ${formerAdminToken}`),
  refused('a token with a scope that the role never had', 4008, () => bearer({ scopes: ['pluto.admin'] })),
];

const refusalsOf = { accessToken: refusals, user: userRefusals, admin: adminRefusals };

let app: TestApp;
let signingKey: KeyObject;
let keyId: string;
let publicPem: string;
/** Ann is a user of `pluto`. */
let ann: AccessClaims;
let annsToken: string;
let admin: AccessClaims;
let adminToken: string;
let endedToken: string;
let shopToken: string;
let formerUserToken: string;
let formerAdminToken: string;
const strangersKey = rsaKeys.at(-1)!;

beforeAll(async () => {
  app = await startTestApp();
  const keys = app.app.get(SigningKeysService);
  ({ privateKey: signingKey, kid: keyId } = await keys.signingKey());
  publicPem = await keys.publicKey();
  const { account, token } = await signedIn(app);
  annsToken = token;
  ann = decodeToken(token).claims;
  adminToken = (await login(app, ADMIN)).access_token;
  admin = decodeToken(adminToken).claims;

  endedToken = (await login(app, account)).access_token;
  await app.dataSource.manager.delete(Session, { id: decodeToken(endedToken).claims.sid });

  await addApplication(app, { name: 'shop', roles: { owner: ['pluto.admin', 'pluto.user'] } });
  shopToken = (await signedIn(app, { app_id: 'shop' })).token;
  await makeFormerHolders();
});
afterAll(() => app.close());

/** Makes an account that was an administrator, and one that was a user, since their tokens were issued. */
async function makeFormerHolders(): Promise<void> {
  const pluto = await plutoWithBystanders();
  const formerAdmin = await signedIn(app);
  const { sub } = decodeToken(formerAdmin.token).claims;
  await giveRole(app, sub, pluto, 'admin');
  formerAdminToken = (await login(app, formerAdmin.account)).access_token;
  expect(decodeToken(formerAdminToken).claims.scopes).toEqual(['pluto.admin']);
  await app.dataSource.manager.delete(UserRole, { userId: sub, applicationId: pluto.id });

  formerUserToken = (await signedIn(app)).token;
  expect(decodeToken(formerUserToken).claims.scopes).toEqual(['pluto.user']);
  await giveRole(app, decodeToken(formerUserToken).claims.sub, pluto, 'bystander');
}

/** The application `pluto`, with a role that has no scope. */
async function plutoWithBystanders(): Promise<TestApplication> {
  const { manager } = app.dataSource;
  const { id } = await manager.findOneByOrFail(Application, { nameKey: 'pluto' });
  const naming = { name: 'bystander', nameKey: 'bystander', createdAt: nowSeconds() };
  await manager.insert(Role, { ...naming, applicationId: id, defaultScopeId: null });
  const roles = await manager.findBy(Role, { applicationId: id });
  return {
    id,
    name: 'pluto',
    roles: Object.fromEntries(roles.map((role) => [role.name, role.id])),
    scopes: {},
  };
}

/** `Authorization` with Ann's claims, changed, rightly signed. */
function bearer(change: Record<string, unknown>): string {
  return `Bearer ${sign({ ...ann, ...change }, signingKey)}`;
}

function sign(claims: object, key: KeyObject): string {
  const input = signingInput({ alg: 'RS256' }, claims);
  return `${input}.${createSign('RSA-SHA256').update(input).sign(key, 'base64url')}`;
}

function signingInput(header: object, claims: object): string {
  return `${encodePart({ typ: 'JWT', kid: keyId, ...header })}.${encodePart(claims)}`;
}

function tampered(token: string): string {
  const [header, , signature] = token.split('.');
  return `${header}.${encodePart({ ...ann, scopes: ['pluto.admin'] })}.${signature}`;
}

function unsigned(): string {
  return `${signingInput({ alg: 'none' }, ann)}.`;
}

/** RFC 8725 section 2.1: what a verifier that goes by the token's `alg` would take. */
function signedByPublicKey(): string {
  const input = signingInput({ alg: 'HS256' }, ann);
  return `${input}.${createHmac('sha256', publicPem).update(input).digest('base64url')}`;
}

/** Calls a route, its parameters filled in with anything. */
function call(route: string, authorization: string | null): Promise<Answer> {
  const [method = '', path = ''] = route.split(' ');
  return app.client.request(method, path.replace(/:\w+/g, 'anything'), {
    ...(authorization !== null && { headers: { authorization } }),
  });
}

/** Someone who may call a route of that access; a new account each time, since some routes end it. */
async function tokenFor(access: 'accessToken' | 'user' | 'admin'): Promise<string> {
  return access === 'admin' ? adminToken : (await signedIn(app)).token;
}

describe('the routes of the server', () => {
  it('are those of the access table', () => {
    const routes = app.app
      .get(RouteIndex)
      .list()
      .filter(({ method }) => method !== 'HEAD')
      .map(({ method, path }) => `${method} ${path}`);
    expect(routes.sort()).toEqual(Object.keys(accessTable).sort());
  });

  it('answer HEAD only where they answer GET', () => {
    const routes = app.app
      .get(RouteIndex)
      .list()
      .flatMap(({ method, path }) => (method === 'HEAD' ? [`GET ${path}`] : []));
    expect(routes.filter((route) => !(route in accessTable))).toEqual([]);
  });
});

describe.each(Object.entries(accessTable).filter(([, access]) => access === 'public'))('%s', (route) => {
  it('requires no token', async () => {
    const answer = await call(route, null);
    expect(GUARD_CODES).not.toContain(answer.code);
    expect(answer.status).toBeLessThan(500);
  });

  it('ignores an invalid token', async () => {
    expect(GUARD_CODES).not.toContain((await call(route, 'Bearer junk')).code);
  });
});

for (const [route, access] of Object.entries(accessTable)) {
  if (access === 'public' || access === 'file') continue;
  describe(route, () => {
    it.each(refusalsOf[access].map((refusal) => [refusal.bearer, refusal.code, refusal] as const))(
      'refuses %s with %i',
      async (_bearer, code, { authorization, status }) => {
        const answer = await call(route, authorization());
        expect([answer.status, answer.code]).toEqual([status, code]);
        expect(answer.json).toEqual({ status: 'error', error: { code, message: expect.any(String) } });
      },
    );

    it('admits authorised callers', async () => {
      const answer = await call(route, `Bearer ${await tokenFor(access)}`);
      expect(GUARD_CODES).not.toContain(answer.code);
      expect(answer.status).toBeLessThan(500);
    });

    if (route.startsWith('GET ')) {
      it('refuses HEAD without a token', async () => {
        expect((await call(route.replace('GET', 'HEAD'), null)).status).toBe(401);
      });
    }
  });
}
