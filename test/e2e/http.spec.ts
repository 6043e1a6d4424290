import { AccessTokensService } from '../../src/token/access-tokens.service.js';
import { RegistrationService } from '../../src/auth/registration/registration.service.js';
import { MailVerificationService } from '../../src/auth/registration/mail-verification.service.js';
import { login, registration } from '../support/accounts.js';
import { ADMIN, startTestApp } from '../support/app.js';
import {
  app,
  expectFailure,
  expectPage,
  LIBRARY_TEXT,
  linesOf,
  logLines,
  sendRaw,
  useServer,
} from '../support/raw-http.js';

useServer();

describe('an unknown address', () => {
  it.each(['/v1', '/v1/', '/v1/nothing', '/v1/user', '/v1/user/info/'])(
    'is 1005 at %s, for a browser as well',
    async (path) => {
      expectFailure(await app.client.get(path), 404, 1005);
      expectFailure(await app.client.page(path), 404, 1005);
      expectFailure(await app.client.post(path, { any: 'thing' }), 404, 1005);
    },
  );

  it.each([
    '/web',
    '/web/nothing',
    '/web/mail/verify',
    '/nothing',
    '/v10/healthcheck',
    '/%2Fv1/healthcheck',
    '/web/assets/nothing.css',
  ])('is a page for a browser and JSON for a program at %s', async (path) => {
    const page = await app.client.page(path, { 'accept-language': 'ja' });
    expectPage(page, 404);
    expect(page.text).toContain('ページが見つかりません');
    expectFailure(await app.client.get(path), 404, 1005);
    expectFailure(await app.client.get(path, { headers: { accept: 'application/json' } }), 404, 1005);
  });

  it.each([
    '/web/assets/..%2f..%2fpackage.json',
    '/web/assets/%2e%2e/locales/en.json',
    '/avatars/..%2fsecret.key',
  ])('stays unknown with path traversal: %s', async (path) => {
    const answer = await sendRaw(app, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 40[034] /);
    expect(answer).not.toMatch(/"dependencies"|verify-mail|secret key/);
  });
});

describe('an address with a run of slashes', () => {
  it.each([
    '//v1/healthcheck',
    '/v1//healthcheck',
    '////v1///healthcheck',
    '//v1/healthcheck?back=https://example.com//x',
  ])('is the one with single slashes: %s', async (path) => {
    const answer = await sendRaw(app, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toContain('"database":"up"');
  });

  it('is the one with single slashes in absolute form', async () => {
    const answer = await sendRaw(
      app,
      'GET http://x//v1//healthcheck HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('keeps the query, the access rules, and the methods', async () => {
    expect((await app.client.get('//v1/user/info/public?ids=//1')).json).toEqual({ status: 'ok', body: {} });
    expectFailure(await app.client.get('//v1//user/info'), 401, 1003);
    expectFailure(await app.client.post('//v1/healthcheck'), 405, 1009);
    expectFailure(await app.client.get('//v1//nothing'), 404, 1005);
  });

  it('never makes a form post to another host', async () => {
    const page = await app.client.page('//web//login');
    expectPage(page, 200);
    expect(page.text).toContain('<form method="post" action="/web/login">');
  });
});

describe('a malformed address', () => {
  it.each(['/v1/user/info/%ZZ/public', '/v1/%', '/v1/user/info/%E0%A4%A/public'])(
    'is 1001: %s',
    async (path) => {
      expectFailure(await app.client.get(path), 400, 1001);
    },
  );

  it('is refused with the security headers and a request id of any other answer', async () => {
    const answer = await app.client.get('/web/mail/verify/%ZZ');
    expectFailure(answer, 400, 1001);
    const id = answer.headers.get('x-request-id');
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(await linesOf(app, id)).toMatchObject([{ msg: 'request', route: '(none)', status: 400 }]);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it('is not a handle if it is too long', async () => {
    expectFailure(await app.client.get(`/v1/user/info/${'a'.repeat(101)}/public`), 403, 2005);
    expectFailure(await app.client.get(`/v1/user/info/${'a'.repeat(4000)}/public`), 400, 1001);
  });

  it('is a page for a browser, even for a broken link', async () => {
    expectPage(await app.client.page('/web/mail/verify/%ZZ'), 400);
    expectPage(await app.client.page(`/web/mail/verify/${'a'.repeat(100)}`), 404);
    expectPage(await app.client.page(`/web/mail/verify/${'a'.repeat(4000)}`), 400);
  });

  it('is 1001 when it exceeds the limit of the head', async () => {
    const answer = await sendRaw(
      app,
      `GET /v1/healthcheck?${'a'.repeat(40_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 4(00|31) /);
    expect(answer).toContain('{"status":"error","error":{"code":1001,');
  });
});

describe('input that is not HTTP', () => {
  it.each([
    ['garbage', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03hello\r\n\r\n'],
    ['an unknown version', 'GET /v1/healthcheck HTTP/9.9\r\nHost: x\r\n\r\n'],
    [
      'two lengths',
      'POST /v1/user/register HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
    ],
    [
      'a length next to chunks',
      'POST /v1/user/register HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a broken header', 'GET /v1/healthcheck HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n'],
  ])('is answered with an envelope, and the connection ends: %s', async (_what, bytes) => {
    const answer = await sendRaw(app, bytes);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    const body = answer.slice(answer.indexOf('\r\n\r\n') + 4);
    expect(JSON.parse(body)).toEqual({ status: 'error', error: { code: 1001, message: expect.any(String) } });
    expect(answer).not.toMatch(LIBRARY_TEXT);
  });

  it('does not affect other connections', async () => {
    await Promise.all(Array.from({ length: 20 }, () => sendRaw(app, 'nonsense\r\n\r\n')));
    expect((await app.client.get('/v1/healthcheck')).status).toBe(200);
  });

  it('answers pipelined requests in order', async () => {
    const ask = (path: string, last = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${last}\r\n`;
    const answer = await sendRaw(
      app,
      ask('/v1/healthcheck') + ask('/v1/nothing') + ask('/v1/token/publickey', 'Connection: close\r\n'),
    );
    expect([...answer.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status)).toEqual([
      '200',
      '404',
      '200',
    ]);
  });
});

describe('a body with too much content', () => {
  it.each([
    '{"__proto__":{"isAdmin":true},"mail":"a@example.com"}',
    '{"constructor":{"prototype":{"isAdmin":true}}}',
  ])('changes no prototype: %s', async (body) => {
    const answer = await app.client.post('/v1/user/register', body);
    expectFailure(answer, 400, 1001);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });
});

describe('the access log', () => {
  it('has the pattern of the route and never a possible token', async () => {
    const { access_token: token } = await login(app, ADMIN);
    await app.client.page('/web/mail/verify/token-of-verification');
    await app.client.page('/web/password/reset/token-of-reset');
    await app.client.get(`/v1/token/access/verify?token=${token}`);
    await app.client.get('/v1/nothing?token=token-of-nothing');
    await app.client.get('/web/nothing/token-in-the-path');
    await app.client.get('/v1/user/info/%ZZ?token=token-of-unreadable');
    await sendRaw(app, 'GET /web/mail/verify/token-raw HTTP/9\r\n\r\n');

    expect(app.log()).not.toMatch(/token-(of|in|raw)/);
    expect(app.log()).not.toContain(token);
    const routes = logLines(app).map(({ route }) => route);
    for (const route of [
      '/web/mail/verify/:token',
      '/web/password/reset/:token',
      '/v1/token/access/verify',
      '/v1/user/login/account',
      '(none)',
    ])
      expect(routes).toContain(route);
  });
});

describe('an internal error', () => {
  it('is 1000 with details only in the log', async () => {
    const fault = new Error("SELECT password_hash FROM users WHERE mail = 'x' -- at /src/secret.ts:1");
    jest.spyOn(app.app.get(RegistrationService), 'register').mockRejectedValue(fault);
    const answer = await app.client.post('/v1/user/register', registration());
    expectFailure(answer, 500, 1000);
    expect(answer.json.error.message).toBe('Server Error');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const id = answer.headers.get('x-request-id');
    expect((await linesOf(app, id)).map(({ level }) => level).sort()).toEqual(['error', 'info']);
  });

  it.each([null, undefined, 'a text', 42, { statusCode: 200 }, { statusCode: 999 }])(
    'is 1000 even if %j is thrown',
    async (thrown) => {
      jest.spyOn(app.app.get(AccessTokensService), 'verify').mockRejectedValue(thrown);
      expectFailure(await app.client.get('/v1/token/access/verify?token=x'), 500, 1000);
    },
  );

  it('is a page for a browser', async () => {
    jest.spyOn(app.app.get(MailVerificationService), 'look').mockRejectedValue(new Error('boom'));
    const answer = await app.client.page('/web/mail/verify/x', { 'accept-language': 'zh' });
    expectPage(answer, 500);
    expect(answer.text).toContain('lang="zh-Hans"');
  });
});

describe('the health of the server', () => {
  it('is reported with its version', async () => {
    const answer = await app.client.get('/v1/healthcheck');
    expect(answer.json).toEqual({
      status: 'ok',
      body: { version: expect.stringMatching(/^\d+\.\d+\.\d+/), database: 'up' },
    });
    expect((await app.client.get('/health/live')).status).toBe(200);
    expect((await app.client.get('/health/ready')).status).toBe(200);
  });

  it('is 1010 without the database, which does not stop the process', async () => {
    const other = await startTestApp({ on: app, sendMails: false });
    await other.dataSource.destroy();
    for (const path of ['/v1/healthcheck', '/health/ready'])
      expectFailure(await other.client.get(path), 503, 1010);
    expect((await other.client.get('/health/live')).status).toBe(200);
    const answer = await other.client.post('/v1/user/register', registration());
    expect([500, 503]).toContain(answer.status);
    expect(answer.text).not.toMatch(LIBRARY_TEXT);
    await other.stop();
  });
});
