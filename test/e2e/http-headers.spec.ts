import { MailVerificationService } from '../../src/auth/registration/mail-verification.service.js';
import { login, registration, signedIn } from '../support/accounts.js';
import { ADMIN, startTestApp, type TestApp } from '../support/app.js';
import type { Answer } from '../support/client.js';
import { addClient } from '../support/oauth.js';
import {
  app,
  expectFailure,
  expectPage,
  LIBRARY_TEXT,
  linesOf,
  sendRaw,
  useServer,
} from '../support/raw-http.js';

useServer();

describe('a method that an address does not answer', () => {
  it.each([
    ['DELETE', '/v1/user/info', 'GET, HEAD, PUT'],
    ['GET', '/v1/user/register', 'POST'],
    ['PATCH', '/v1/healthcheck', 'GET, HEAD'],
    ['POST', '/v1/token/publickey', 'GET, HEAD'],
    ['PUT', '/v1/user/info/someone/public', 'GET, HEAD'],
    ['OPTIONS', '/v1/user/info', 'GET, HEAD, PUT'],
  ])('is 1009 with Allow: %s %s', async (method, path, allow) => {
    const answer = await app.client.request(method, path);
    expectFailure(answer, 405, 1009);
    expect(answer.headers.get('allow')).toBe(allow);
  });

  it('is reported to a browser as a page', async () => {
    const answer = await app.client.request('DELETE', '/web/mail/verify/token', {
      headers: { accept: 'text/html' },
    });
    expectPage(answer, 405);
    expect(answer.headers.get('allow')).toBe('GET, HEAD, POST');
  });

  it.each(['TRACE', 'PROPFIND', 'BREW'])('is refused if no route supports it: %s', async (method) => {
    const answer = await sendRaw(
      app,
      `${method} /v1/healthcheck HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 (400|404|405) /);
    expect(answer).toContain('"status":"error"');
    expect(answer).not.toMatch(LIBRARY_TEXT);
  });
});

describe('the request id', () => {
  it('is generated, returned in the answer, and on every line of the log', async () => {
    const answer = await app.client.post('/v1/user/register', registration());
    const id = answer.headers.get('x-request-id')!;
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(await linesOf(app, id)).toMatchObject([
      { msg: 'request', method: 'POST', route: '/v1/user/register', status: 200 },
    ]);
  });

  it('is on the log lines of services', async () => {
    const { tokens } = await signedIn(app);
    const deletion = await app.client.post('/v1/user/delete', undefined, { token: tokens.access_token });
    const { key } = await addClient(app, { status: 'pend' });
    const { access_token: token } = await login(app, ADMIN);
    const body = { key, status: 'approved' };
    const approval = await app.client.request('PUT', '/v1/oauth/client/status', { token, body });
    for (const [answer, msg] of [
      [deletion, 'account deleted'],
      [approval, 'client approved'],
    ] as const) {
      expect(answer.code).toBe(0);
      expect((await linesOf(app, answer.headers.get('x-request-id'))).map((line) => line.msg)).toEqual([
        msg,
        'request',
      ]);
    }
  });

  it('is taken from the request of a trusted proxy, if it is harmless', async () => {
    const proxied = await startTestApp({ env: { TRUST_PROXY: '127.0.0.1' } });
    const idOf = async (given: string) =>
      (await proxied.client.get('/v1/nothing', { headers: { 'x-request-id': given } })).headers.get(
        'x-request-id',
      );
    expect(await idOf('proxy-7.a_B')).toBe('proxy-7.a_B');
    expect(await linesOf(proxied, 'proxy-7.a_B')).toHaveLength(1);
    for (const given of ['a'.repeat(65), 'two words', '"}{"level":60', '<b>', ''])
      expect(await idOf(given)).toMatch(/^[0-9a-f-]{36}$/);
    await proxied.close();
  });

  it.each<Record<string, string>>([{}, { TRUST_PROXY: '192.0.2.1' }, { TRUST_PROXY: '10.0.0.0/8,::1' }])(
    'is not taken from anybody else, whatever address is claimed: %j',
    async (env) => {
      const stranger = await startTestApp({ env });
      for (const claimed of ['192.0.2.1', '10.0.0.1', '::1']) {
        const headers = { 'x-request-id': 'proxy-7.a_B', 'x-forwarded-for': claimed };
        const answer = await stranger.client.get('/v1/nothing', { headers });
        expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
      }
      await stranger.close();
    },
  );

  it('is taken from a proxy within a trusted network', async () => {
    const proxied = await startTestApp({ env: { TRUST_PROXY: '10.0.0.0/8,127.0.0.0/8' } });
    const headers = { 'x-request-id': 'edge-1', 'x-forwarded-for': '203.0.113.9' };
    const answer = await proxied.client.get('/v1/nothing', { headers });
    expect(answer.headers.get('x-request-id')).toBe('edge-1');
    await proxied.close();
  });

  it('is on an error page, for support', async () => {
    jest.spyOn(app.app.get(MailVerificationService), 'look').mockRejectedValue(new Error('boom'));
    const answer = await app.client.page('/web/mail/verify/some-token');
    expectPage(answer, 500);
    expect(answer.text).toContain(answer.headers.get('x-request-id'));
    expect(answer.text).not.toContain('boom');
  });
});

describe('security headers', () => {
  const common = {
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
  };

  it.each(['/v1/healthcheck', '/v1/nothing', '/web/mail/verify/x', '/web/nothing'])(
    'forbid everything that is not needed at %s',
    async (path) => {
      const { headers } = await app.client.page(path);
      expect(Object.fromEntries(headers)).toMatchObject({ ...common, 'cache-control': 'no-store' });
      const csp = headers.get('content-security-policy')!;
      expect(csp).toContain("default-src 'none'");
      expect(csp).toContain("frame-ancestors 'none'");
      expect(csp).not.toMatch(/unsafe|\*|https?:/);
      expect(headers.get('strict-transport-security')).toBeNull();
      expect(headers.get('x-powered-by')).toBeNull();
      expect(headers.get('server')).toBeNull();
    },
  );

  it('let the documentation use its own styles and scripts only', async () => {
    const { headers } = await app.client.page('/docs');
    expect(Object.fromEntries(headers)).toMatchObject(common);
    const csp = headers.get('content-security-policy')!;
    expect(csp).toContain("default-src 'self'");
    expect(csp).toContain("frame-ancestors 'none'");
    expect(csp).not.toMatch(/unsafe-eval|\*|https?:|script-src[^;]*unsafe/);
  });

  it('let assets be cached', async () => {
    const { headers, status } = await app.client.get('/web/assets/pluto.css');
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toMatch(/^public, max-age=\d+$/);
    expect(headers.get('content-type')).toMatch(/^text\/css/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('require HTTPS and set Secure cookies if PUBLIC_URL is https:', async () => {
    const secure = await startTestApp({
      env: { PUBLIC_URL: 'https://pluto.test' },
      on: app,
      sendMails: false,
    });
    const { mail } = registration();
    await secure.client.post('/v1/user/register', registration({ mail }));
    const page = await secure.client.page(await app.mailbox.linkTo(mail));
    expect(page.headers.get('strict-transport-security')).toMatch(/^max-age=\d{8}/);
    const [cookie] = page.headers.getSetCookie();
    expect(cookie).toMatch(/^__Host-.*; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
    await secure.stop();
  });
});

describe('HEAD', () => {
  it.each([
    '/v1/healthcheck',
    '/v1/token/publickey',
    '/web/mail/verify/x',
    '/v1/nothing',
    '/web/assets/pluto.css',
  ])('is answered as GET is, without a body, at %s', async (path) => {
    const get = await app.client.page(path);
    const head = await app.client.request('HEAD', path, { headers: { accept: 'text/html' } });
    expect(head.status).toBe(get.status);
    expect(head.text).toBe('');
    expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
  });
});

describe('CORS_ORIGINS', () => {
  const ORIGIN = 'https://app.example.com';
  const from = (origin: string) => ({ headers: { origin } });
  const preflight = (origin: string) => ({
    headers: {
      origin,
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'authorization,content-type',
    },
  });
  const corsHeaders = ({ headers }: Answer) =>
    [...headers.keys()].filter((name) => name.startsWith('access-control'));

  it('unset: no origin is allowed', async () => {
    const answer = await app.client.get('/v1/healthcheck', from(ORIGIN));
    expect(answer.status).toBe(200);
    expect(corsHeaders(answer)).toEqual([]);
    const asked = await app.client.request('OPTIONS', '/v1/user/info', preflight(ORIGIN));
    expectFailure(asked, 405, 1009);
    expect(corsHeaders(asked)).toEqual([]);
  });

  describe('listed', () => {
    let listed: TestApp;
    beforeAll(async () => {
      listed = await startTestApp({
        env: { CORS_ORIGINS: `${ORIGIN}, http://localhost:5173, capacitor://localhost, tauri://localhost` },
        on: app,
        sendMails: false,
      });
    });
    afterAll(() => listed.stop());

    it.each([ORIGIN, 'http://localhost:5173', 'capacitor://localhost', 'tauri://localhost'])(
      'allows %s, also to read what went wrong',
      async (origin) => {
        for (const path of ['/v1/healthcheck', '/v1/nothing', '/v1/user/info']) {
          const answer = await listed.client.get(path, from(origin));
          expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
          expect(answer.headers.get('vary')).toMatch(/origin/i);
          expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
        }
      },
    );

    it.each(['/v1/nothing', '/nothing', '/v1/user/info/', '/web/nothing'])(
      'leaves an unknown path unknown: %s',
      async (path) => {
        for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS']) {
          const answer = await listed.client.request(method, path, from(ORIGIN));
          expectFailure(answer, 404, 1005);
          expect(answer.headers.get('allow')).toBeNull();
        }
      },
    );

    it.each<[string, Record<string, string>]>([
      ['no headers', {}],
      ['an origin alone', { origin: ORIGIN }],
      ['a method alone', { 'access-control-request-method': 'PUT' }],
    ])('answers OPTIONS with %s as an unsupported method', async (_what, headers) => {
      const answer = await listed.client.request('OPTIONS', '/v1/user/info', { headers });
      expectFailure(answer, 405, 1009);
      expect(answer.headers.get('allow')).toBe('GET, HEAD, PUT');
      expectFailure(await listed.client.request('OPTIONS', '/v1/nothing', { headers }), 404, 1005);
    });

    it('answers preflight requests', async () => {
      const answer = await listed.client.request('OPTIONS', '/v1/user/info', preflight(ORIGIN));
      expect(answer.status).toBe(204);
      expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN);
      expect(answer.headers.get('access-control-allow-methods')).toContain('PUT');
      expect(answer.headers.get('access-control-allow-headers')?.toLowerCase()).toContain('authorization');
      expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
    });

    it.each([
      'https://evil.example',
      'https://app.example.com.evil.example',
      'http://app.example.com',
      'null',
    ])('does not allow %s', async (origin) => {
      const answers = [
        await listed.client.get('/v1/healthcheck', from(origin)),
        await listed.client.request('OPTIONS', '/v1/user/info', preflight(origin)),
      ];
      for (const answer of answers) expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    });

    it.each(['/web/mail/verify/x', '/docs', '/'])('never allows pages: %s', async (path) => {
      const answer = await listed.client.get(path, from(ORIGIN));
      expect(corsHeaders(answer)).toEqual([]);
      const asked = await listed.client.request('OPTIONS', path, preflight(ORIGIN));
      expect(asked.headers.get('access-control-allow-origin')).toBeNull();
    });
  });

  it('*: allows everyone, without cookies, and no page', async () => {
    const open = await startTestApp({ env: { CORS_ORIGINS: '*' }, on: app, sendMails: false });
    const answer = await open.client.get('/v1/healthcheck', from('https://evil.example'));
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
    const asked = await open.client.request('OPTIONS', '/v1/user/info', preflight('https://evil.example'));
    expect(asked.headers.get('access-control-allow-origin')).toBe('*');
    expect(corsHeaders(await open.client.get('/web/mail/verify/x', from('https://evil.example')))).toEqual(
      [],
    );
    await open.stop();
  });
});

describe('what is public', () => {
  const ANYBODY = { origin: 'https://anybody.example' };
  const documents: [string, string][] = [
    ['/.well-known/jwks.json', 'public, max-age=300'],
    ['/v1/token/publickey', 'public, no-cache'],
    ['/openapi.json', 'public, no-cache'],
  ];

  describe.each(documents)('%s', (path, cacheControl) => {
    it.each<[string, Record<string, string>]>([
      ['unset', {}],
      ['set to another origin', { CORS_ORIGINS: 'https://app.example.com' }],
    ])('is read from any origin with CORS_ORIGINS %s', async (_what, env) => {
      const server = await startTestApp({ env, on: app, sendMails: false });
      const answer = await server.client.get(path, { headers: ANYBODY });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('access-control-allow-origin')).toBe('*');
      expect(answer.headers.get('access-control-expose-headers')).toContain('etag');
      expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
      await server.stop();
    });

    it('is cached, and not sent again while unchanged', async () => {
      const { headers, text } = await app.client.get(path);
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
      const etag = headers.get('etag')!;
      expect(headers.get('cache-control')).toBe(cacheControl);
      expect(etag).toMatch(/^W\/"/);
      for (const known of [etag, etag.slice(2), `"other", ${etag}`, '*']) {
        const again = await app.client.get(path, { headers: { 'if-none-match': known } });
        expect([again.status, again.text]).toEqual([304, '']);
        expect([again.headers.get('etag'), again.headers.get('cache-control')]).toEqual([etag, cacheControl]);
        expect(again.headers.get('content-type')).toBeNull();
      }
      const changed = await app.client.get(path, { headers: { 'if-none-match': '"other"' } });
      expect([changed.status, changed.text]).toEqual([200, text]);
      for (const [known, status] of [
        [etag, 304],
        ['"other"', 200],
      ] as const) {
        const headers = { 'if-none-match': known, 'accept-encoding': 'identity' };
        const head = await app.client.request('HEAD', path, { headers });
        expect([head.status, head.headers.get('etag'), head.text]).toEqual([status, etag, '']);
        // RFC 9110 section 8.6: as for GET with 200, or none.
        expect(head.headers.get('content-length')).toBe(String(Buffer.byteLength(text)));
      }
    });
  });

  it('is nothing else: personal answers are private and not cached', async () => {
    const { token } = await signedIn(app);
    const answer = await app.client.get('/v1/user/info', { token, headers: ANYBODY });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('etag')).toBeNull();
  });
});

describe('a cookie', () => {
  it('is ignored by the API', async () => {
    const { token } = await signedIn(app);
    for (const name of ['access_token', 'token', 'authorization'])
      expectFailure(
        await app.client.get('/v1/user/info', { headers: { cookie: `${name}=${token}` } }),
        401,
        1003,
      );
  });
});
