import { sha256 } from '../../src/common/crypto.js';
import { AuthorizationCode } from '../../src/oauth/authorization-code.entity.js';
import { OAuthClient } from '../../src/oauth/oauth-client.entity.js';
import { RoleScope } from '../../src/rbac/role-scope.entity.js';
import { Role } from '../../src/rbac/role.entity.js';
import { PageSessionsService } from '../../src/token/page-sessions.service.js';
import { addAccount } from '../support/accounts.js';
import { openSession } from '../support/sessions.js';
import { addApplication, detachScope, giveRole } from '../support/applications.js';
import { Browser, type PageAnswer } from '../support/browser.js';
import { nextNumber } from '../support/client.js';
import { expectFailure, expectOk, expectPage } from '../support/expectations.js';
import { decodeToken } from '../support/tokens.js';
import { addUser } from '../support/users.js';
import {
  addClient,
  address,
  app,
  BACK,
  CHALLENGE,
  countGrants,
  EVIL,
  expectNoWay,
  fragment,
  ISSUER,
  open,
  type Parameters,
  PATH,
  query,
  reader,
  REGISTERED,
  request,
  shop,
  signedIn,
  STATE,
  userId,
  useAuthorizations,
} from '../support/authorizations.js';

useAuthorizations();

async function decide(
  decision: 'allow' | 'deny',
  change: Parameters = {},
  { by = reader, form = {} }: { by?: Browser; form?: Record<string, string> } = {},
): Promise<PageAnswer> {
  const page = await open(change, by);
  expectPage(page, 200, 'Allow access?');
  return by.submit(page.forms[decision === 'allow' ? 0 : 1], form);
}

const shownScopes = ({ text }: PageAnswer) =>
  [...text.matchAll(/<code>([^<]*)<\/code><\/li>/g)].map(([, name]) => name);
const findCode = (code = '') =>
  app.dataSource.manager.findOneByOrFail(AuthorizationCode, { codeHash: sha256(code) });
const grantedScopes = async (answer: PageAnswer) => (await findCode(query(answer).code)).scopes;

describe('GET /web/authorize', () => {
  it('redirects to the login page without a session, and back with every parameter unchanged', async () => {
    const account = await addAccount(app, { app_id: shop.name });
    const by = new Browser(app.url);
    const pkce = { code_challenge: CHALLENGE, code_challenge_method: 'S256' };
    const sent = request({ ...pkce, scopes: 'shop.read,shop.buy', life_time: '120' });
    const away = await open(sent, by);
    expect(away.location).toMatch(/^\/web\/login\?app_id=org\.example\.shop&next=/);
    const { forms } = await by.get(away.location);
    const wrong = await by.submit(forms[0], { account: account.mail, password: 'wrong password' });
    const back = await by.submit(wrong.forms[0], { password: account.password });
    expect(Object.fromEntries(new URL(back.location, app.url).searchParams)).toEqual(sent);
    const answer = await by.submit((await by.get(back.location)).forms[0]);
    expect(query(answer)).toEqual({ code: expect.any(String), state: STATE });
  });

  it('shows client, scopes, user and destination', async () => {
    const { browser, name } = await signedIn();
    const page = await open({ scopes: 'shop.buy shop.unknown,shop.read' }, browser);
    expectPage(page, 200, 'Allow access?');
    for (const text of ['desk', name, shop.name, 'client.example']) expect(page.words).toContain(text);
    expect(shownScopes(page)).toEqual(['shop.buy', 'shop.read']);
    const [allow, deny] = page.forms;
    const fields = { ...request({ scopes: 'shop.buy shop.read' }), _csrf: expect.any(String) };
    expect(allow).toEqual({ action: PATH, fields: { ...fields, decision: 'allow' } });
    expect(deny).toEqual({ action: PATH, fields: { ...fields, decision: 'deny' } });
  });

  it.each([
    ['desk', 'https:', 'client.example'],
    ['loopback', 'http: https:', '127.0.0.1:8099'],
    ['native', 'org.example.desk: https:', 'org.example.desk'],
    ['loopback6', 'http: https:', '[::1]:8099'],
    ['odd', 'https:', 'client;x'],
  ] as const)('allows the form of %s to redirect to %s only', async (key, target, shown) => {
    const page = await open({ client_id: key, redirect_uri: REGISTERED[key] });
    expect(page.words).toContain(`redirected to ${shown}.`);
    const policy = page.headers.get('content-security-policy')!.split('; ');
    expect(policy).toContain(`form-action 'self' ${target}`);
    expect(policy).toEqual(
      expect.arrayContaining(["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"]),
    );
    expect(Object.fromEntries(page.headers)).toMatchObject({
      'cache-control': 'no-store',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    });
  });

  it.each([
    ['none', {}, ['shop.read']],
    ['unknown ones', { scopes: 'shop.unknown, shop.sell' }, ['shop.read']],
    ['some, by the name of RFC 6749', { scope: 'shop.buy shop.rate' }, ['shop.buy', 'shop.rate']],
    ['some twice', { scopes: 'shop.buy,shop.buy' }, ['shop.buy']],
  ])('requests the scopes that the role has, or its default: %s', async (_, change, scopes) => {
    expect(shownScopes(await open(change))).toEqual(scopes);
    expect(await grantedScopes(await decide('allow', change))).toEqual(scopes);
  });

  it('says that no permissions are requested', async () => {
    const { browser } = await signedIn('nobody');
    const page = await open({ scopes: 'shop.buy' }, browser);
    expectPage(page, 200, 'requests no other permissions');
    expect(await grantedScopes(await browser.submit(page.forms[0]))).toEqual([]);
  });

  it.each([
    ['zh', '是否允许访问？'],
    ['ja', 'アクセスを許可しますか？'],
  ])('is in the language %s', async (language, title) => {
    expectPage(await reader.get(address(), { 'accept-language': language }), 200, title);
  });

  it.each(['state', 'scopes', 'scope'])('escapes %s', async (name) => {
    const page = await open({ [name]: EVIL });
    expectPage(page, 200, 'Allow access?');
    expect(page.text).not.toContain('<script');
    if (name === 'state') expect(query(await reader.submit(page.forms[0])).state).toBe(EVIL);
  });

  it('escapes the key of a client', async () => {
    const key = `<b>"&'desk`;
    const page = await open({ client_id: key });
    expect(page.text).not.toContain('<b>');
    expect(page.words).toContain(key);
    expect(query(await reader.submit(page.forms[0])).code).toBeDefined();
  });
});

describe('POST /web/authorize', () => {
  it('sends a code to the client, and keeps a hash of it', async () => {
    const code = query(await decide('allow')).code!;
    expect(code).toMatch(/^[\w-]{43}$/);
    expect(await findCode(code)).toMatchObject({
      userId,
      applicationId: shop.id,
      redirectUri: BACK,
      usedAt: null,
    });
    expect(JSON.stringify(await app.dataSource.query('SELECT * FROM authorization_codes'))).not.toContain(
      code,
    );
  });

  it('returns state byte for byte, and omits it if it was not sent', async () => {
    const { location } = await decide('allow');
    expect(/&state=([^&]*)/.exec(location)?.[1]).toBe(encodeURIComponent(STATE));
    expect(query(await decide('allow', { state: undefined }))).toEqual({ code: expect.any(String) });
  });

  it.each([
    ['tenant', /^https:\/\/client\.example\/back\?tenant=1&code=[\w-]{43}&state=/],
    ['native', /^org\.example\.desk:\/back\?code=[\w-]{43}&state=/],
  ] as const)('keeps the redirect URI of %s unchanged', async (key, location) => {
    const change = { client_id: key, redirect_uri: REGISTERED[key] };
    expect((await decide('allow', change)).location).toMatch(location);
  });

  it.each(['code', 'token'])(
    'says whose answer it is, whatever the request says: %s',
    async (response_type) => {
      const answers = [await decide('allow', { response_type }), await decide('deny', { response_type })];
      const forged = { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' };
      answers.push(await reader.get(address({ response_type, app_id: 'unknown', iss: 'x' }), forged));
      const iss = `iss=${encodeURIComponent(ISSUER)}`;
      for (const { location } of answers) expect(location.match(/iss=[^&]*/g)).toEqual([iss]);
    },
  );

  it('reports a denial to the client', async () => {
    const before = await countGrants();
    const denied = { error: 'access_denied', error_code: '1002', state: STATE };
    expect(query(await decide('deny'))).toEqual(denied);
    expect(fragment(await decide('deny', { response_type: 'token' }))).toEqual(denied);
    expect(await countGrants()).toEqual(before);
  });

  it('returns a token in the fragment, without a refresh token', async () => {
    const change = { response_type: 'token', scopes: 'shop.buy,shop.read', life_time: '120' };
    const { access_token: token = '', ...rest } = fragment(await decide('allow', change));
    expect(rest).toEqual({
      token_type: 'Bearer',
      expires_in: '120',
      scopes: 'shop.buy shop.read',
      state: STATE,
    });
    expect(decodeToken(token).claims).toMatchObject({
      type: 'access',
      sub: userId,
      iss: shop.name,
      scopes: ['shop.buy', 'shop.read'],
    });
    expectOk(await app.client.get('/v1/user/info', { token }));
    expect(app.log()).not.toContain(token);
  });

  it.each([
    ['1', '60'],
    ['99999999', '2592000'],
    ['-5', '60'],
    [undefined, '3600'],
    ['', '3600'],
  ])('converts life_time %s to %s', async (life_time, expires_in) => {
    expect(fragment(await decide('allow', { response_type: 'token', life_time }))).toMatchObject({
      expires_in,
    });
  });

  it.each(['code', 'token'])(
    'grants what was shown and no more, whatever the role becomes: %s',
    async (response_type) => {
      const { browser, userId: id } = await signedIn('clerk');
      const granted = async (answer: PageAnswer) =>
        response_type === 'code'
          ? grantedScopes(answer)
          : decodeToken(fragment(answer).access_token!).claims.scopes;
      const page = await open({ response_type }, browser);
      expect(shownScopes(page)).toEqual(['shop.sell']);
      await giveRole(app, id, shop, 'customer');
      const scopes = await granted(await browser.submit(page.forms[0]));
      expect(scopes).toEqual(response_type === 'code' ? ['shop.sell'] : []);

      const asked = await open({ response_type, scopes: 'shop.read shop.sell' }, browser);
      expect(shownScopes(asked)).toEqual(['shop.read']);
      await giveRole(app, id, shop, 'clerk');
      expect(await granted(await browser.submit(asked.forms[0]))).toEqual(['shop.read']);
    },
  );

  it('does not grant a new default scope that was not shown', async () => {
    const other = await addApplication(app, { name: 'org.example.other', roles: { one: ['a', 'b'] } });
    const id = await addUser(app, { applicationId: other.id });
    const by = new Browser(app.url);
    const owner = { userId: id, applicationId: other.id, signedInBy: 'password' as const };
    by.plant('access_token', await app.app.get(PageSessionsService).open(app.dataSource.manager, owner));
    const page = await open({ app_id: other.name, response_type: 'token' }, by);
    expect(shownScopes(page)).toEqual(['a']);
    await app.dataSource.manager.update(Role, { id: other.roles.one! }, { defaultScopeId: other.scopes.b! });
    await detachScope(app, other, 'one', 'a');
    expect(fragment(await by.submit(page.forms[0])).scopes).toBe('');

    const empty = await open({ app_id: other.name, response_type: 'token' }, by);
    expect(shownScopes(empty)).toEqual(['b']);
    await app.dataSource.manager.insert(RoleScope, { roleId: other.roles.one!, scopeId: other.scopes.a! });
    expect(fragment(await by.submit(empty.forms[0])).scopes).toBe('b');
  });

  // Users control their browser: a modified form grants what could have been requested anyway.
  it('limits a modified form to the scopes of the role', async () => {
    const form = { scopes: 'shop.rate shop.sell' };
    const answer = await decide('allow', { response_type: 'token', scopes: 'shop.buy' }, { form });
    expect(fragment(answer).scopes).toBe('shop.rate');
  });

  it('grants the default scope to a form without scopes, and accepts one without redirect URI', async () => {
    const { _csrf = '' } = (await open()).forms[0]!.fields;
    const fields = request({ redirect_uri: undefined });
    const answer = await reader.post(PATH, { ...fields, _csrf, decision: 'allow' });
    expect(answer.location).toContain(`${BACK}?code=`);
    expect(await grantedScopes(answer)).toEqual(['shop.read']);
    const asked = await reader.post(PATH, { ...fields, _csrf, decision: 'allow', scope: 'shop.buy' });
    expect(await grantedScopes(asked)).toEqual(['shop.buy']);
  });

  it.each([{ decision: '' }, { decision: 'yes' }, { decision: 'ALLOW' }])(
    'grants nothing for %j',
    async (form) => {
      const before = await countGrants();
      expectNoWay(await decide('allow', {}, { form }), 400, 'Bad request');
      expect(await countGrants()).toEqual(before);
    },
  );

  it('grants nothing for a repeated or missing decision', async () => {
    const before = await countGrants();
    const { fields } = (await open()).forms[0]!;
    delete fields.decision;
    const both: [string, string][] = [...Object.entries(fields), ['decision', 'deny'], ['decision', 'allow']];
    for (const form of [fields, both]) expectNoWay(await reader.post(PATH, form), 400, 'Bad request');
    expect(await countGrants()).toEqual(before);
  });

  it.each([0, 1])('refuses a form that was not rendered for this browser: form %i', async (index) => {
    const before = await countGrants();
    const { browser: stranger } = await signedIn();
    const page = await open();
    const form = page.forms[index]!;
    await open({}, stranger);
    for (const answer of [
      await reader.post(PATH, { ...form.fields, _csrf: '' }),
      await reader.submit(form, { _csrf: page.forms[2]!.fields._csrf! }),
      await reader.submit(form, { _csrf: '' }, { accept: 'application/json' }),
      await stranger.submit(form),
    ]) {
      expect([answer.status, answer.location]).toEqual([403, '']);
      if (answer.code === 0) expectPage(answer, 403, 'This form has expired');
    }
    const nobody = await new Browser(app.url).submit(form);
    expect([nobody.status, nobody.location]).toEqual([302, expect.stringMatching(/^\/web\/login\?/)]);
    expect(await countGrants()).toEqual(before);
    expect((await reader.submit(form)).status).toBe(302);
  });

  it('refuses the form when somebody else has signed in to the same browser', async () => {
    const { browser } = await signedIn();
    const form = (await open({}, browser)).forms[0]!;
    const other = await addUser(app, { applicationId: shop.id });
    const owner = { userId: other, applicationId: shop.id, signedInBy: 'password' as const };
    const token = await app.app.get(PageSessionsService).open(app.dataSource.manager, owner);
    browser.plant('access_token', token);
    const before = await countGrants();
    expectPage(await browser.submit(form), 403, 'This form has expired');
    expect(await countGrants()).toEqual(before);
  });

  it.each(['a\nb', 'a\r\nb', 'a\0b'])(
    'refuses the state %j, which a form would not give back',
    async (state) => {
      expectNoWay(await open({ state }), 400, 'Bad request');
    },
  );

  it('refuses JSON', async () => {
    expectFailure(await app.client.post(PATH, request()), 415, 1008);
  });

  it('answers a program with the URL', async () => {
    const { forms } = await open();
    const json = { accept: 'application/json' };
    const allowed = await reader.submit(forms[0], {}, json);
    expectOk(allowed, { redirect_uri: expect.stringMatching(/^https:\/\/client\.example\/back\?code=/) });
    expect(allowed.headers.get('content-type')).toContain('application/json');
    const denied = await reader.submit(forms[1], {}, json);
    expectOk(denied, { redirect_uri: expect.stringContaining('error=access_denied') });
    expectFailure(await reader.submit(forms[0], { client_id: 'unknown' }, json), 403, 5008);
    expectFailure(await reader.submit(forms[0], { redirect_uri: 'https://e.com' }, json), 403, 5003);
  });

  it('requires a sign-in to the requested application', async () => {
    const before = await countGrants();
    const away = await open({ app_id: 'pluto' });
    expect(away.location).toMatch(/^\/web\/login\?app_id=pluto&next=/);
    const posted = await decide('allow', {}, { form: { app_id: 'pluto' } });
    expect(posted.location).toMatch(/^\/web\/login\?app_id=pluto&next=/);
    expect(await countGrants()).toEqual(before);
  });

  it('lets another user sign in, and returns to the request', async () => {
    const { browser } = await signedIn();
    const answer = await browser.submit((await open({ scopes: 'shop.buy' }, browser)).forms[2]);
    const login = new URL(answer.location, app.url);
    expect([answer.status, login.pathname, login.searchParams.get('app_id')]).toEqual([
      302,
      '/web/login',
      shop.name,
    ]);
    const next = new URL(login.searchParams.get('next')!, app.url);
    expect(Object.fromEntries(next.searchParams)).toEqual(request({ scopes: 'shop.buy' }));
    expect(browser.cookies.has('access_token')).toBe(false);
    expect((await open({}, browser)).location).toContain('/web/login?');
  });

  it('does not redirect when the client was denied meanwhile', async () => {
    const key = `desk${nextNumber()}`;
    await addClient(key);
    const page = await open({ client_id: key });
    await app.dataSource.manager.update(OAuthClient, { key }, { status: 'denied' });
    for (const form of page.forms.slice(0, 2))
      expectNoWay(await reader.submit(form), 403, 'App not approved');
  });

  it('requires a sign-in when the account was deleted meanwhile', async () => {
    const { browser, userId: id } = await signedIn();
    const page = await open({}, browser);
    const { accessToken } = await openSession(app, id, shop.name);
    expectOk(await app.client.post('/v1/user/delete', undefined, { token: accessToken }), {});
    expect((await browser.submit(page.forms[0])).location).toMatch(
      /^\/web\/login\?app_id=org\.example\.shop&next=/,
    );
  });

  it('logs neither codes nor sessions nor states', async () => {
    const { browser } = await signedIn();
    const code = query(await decide('allow', { state: 'state-of-the-log' }, { by: browser })).code!;
    for (const secret of [code, browser.cookies.get('access_token')!.value, 'state-of-the-log'])
      expect(app.log()).not.toContain(secret);
  });
});

it('shows the lifetime if it is longer than usual', async () => {
  expect((await open()).text).not.toContain('Access lasts');
  expect((await open({ life_time: '99999999' })).text).toContain('Access lasts 30 days');
});
