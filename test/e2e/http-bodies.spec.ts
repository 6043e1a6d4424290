import { gzipSync } from 'node:zlib';
import { addAccount, registration, signedIn } from '../support/accounts.js';
import { firstAdministrator } from '../support/administration.js';
import { expectFailure as expectRefusal } from '../support/expectations.js';
import { app, expectFailure, LIBRARY_TEXT, sendRaw, useServer } from '../support/raw-http.js';

useServer();

const CLOSE = 'Host: x\r\nConnection: close\r\n';
const TYPES: [string, string | undefined][] = [
  ['no type', undefined],
  ['JSON', 'application/json'],
  ['a form', 'application/x-www-form-urlencoded'],
  ['text', 'text/plain;charset=UTF-8'],
  ['several parts', 'multipart/form-data; boundary=x'],
  ['a malformed type', 'nonsense'],
  ['an empty type', ''],
];
const BODIES: [string, string | undefined][] = [
  ['no body', undefined],
  ['an empty body', ''],
  ['an object', '{}'],
  ['null', 'null'],
  ['broken JSON', '{"a":'],
  ['a form', 'a=1&b=2'],
];

describe('an operation without a body', () => {
  describe.each(TYPES)('with %s', (_what, type) => {
    it.each(BODIES)('deletes the account, and ignores %s', async (_which, body) => {
      const { token } = await signedIn(app);
      const answer = await sendRaw(
        app,
        `POST /v1/user/delete HTTP/1.1\r\n${CLOSE}Authorization: Bearer ${token}\r\n` +
          (type === undefined ? '' : `Content-Type: ${type}\r\n`) +
          (body === undefined ? '\r\n' : `Content-Length: ${body.length}\r\n\r\n${body}`),
      );
      expect(answer).toMatch(/^HTTP\/1\.1 200 .*{"status":"ok","body":{}}$/s);
    });

    it.each(BODIES)('reads with GET, and ignores %s', async (_which, body) => {
      const answer = await sendRaw(
        app,
        `GET /v1/healthcheck HTTP/1.1\r\n${CLOSE}` +
          (type === undefined ? '' : `Content-Type: ${type}\r\n`) +
          (body === undefined ? '\r\n' : `Content-Length: ${body.length}\r\n\r\n${body}`),
      );
      expect(answer).toMatch(/^HTTP\/1\.1 200 .*"status":"ok"/s);
    });
  });

  it('ignores a chunked and a compressed body', async () => {
    for (const head of ['', 'Content-Encoding: gzip\r\n']) {
      const { token } = await signedIn(app);
      const answer = await sendRaw(
        app,
        `POST /v1/user/delete HTTP/1.1\r\n${CLOSE}${head}Authorization: Bearer ${token}\r\n` +
          'Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
      );
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    }
  });

  it('serves the next request of the connection', async () => {
    const { token } = await signedIn(app);
    const answer = await sendRaw(
      app,
      `POST /v1/user/delete HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
        `Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhelloGET /v1/nothing HTTP/1.1\r\n${CLOSE}\r\n`,
    );
    expect([...answer.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status)).toEqual(['200', '404']);
  });

  it.each([
    ['announced', (length: number) => [`Content-Length: ${length}`, 'a'.repeat(length)] as const],
    [
      'chunked',
      (length: number) =>
        [
          'Transfer-Encoding: chunked',
          `${length.toString(16)}\r\n${'a'.repeat(length)}\r\n0\r\n\r\n`,
        ] as const,
    ],
  ])('refuses a body over the limit with 1007, %s, and deletes nobody', async (_how, write) => {
    const { token } = await signedIn(app);
    const [head, body] = write(64 * 1024 + 1);
    const answer = await sendRaw(
      app,
      `POST /v1/user/delete HTTP/1.1\r\n${CLOSE}Authorization: Bearer ${token}\r\n${head}\r\n\r\n${body}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 .*"code":1007/s);
    expect((await app.client.get('/v1/user/info', { token })).status).toBe(200);
  });

  it('requires a token before anything else', async () => {
    const answer = await app.client.post('/v1/user/delete', 'x', { headers: { 'content-type': 'text/x' } });
    expectFailure(answer, 401, 1003);
  });
});

describe('a compressed body', () => {
  it.each(['gzip', 'GZIP', 'br', 'deflate', 'identity, gzip', 'x'])(
    'is 415 with 1008: %s',
    async (coding) => {
      const response = await fetch(`${app.url}/v1/user/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-encoding': coding },
        body: gzipSync(JSON.stringify(registration())),
      });
      expect([response.status, response.headers.get('accept-encoding')]).toEqual([415, 'identity']);
      expect(await response.json()).toEqual({
        status: 'error',
        error: { code: 1008, message: 'Unsupported content type: the body must not be compressed' },
      });
    },
  );

  it('is not what `identity` means', async () => {
    const answer = await app.client.post('/v1/user/register', registration(), {
      headers: { 'content-encoding': 'identity' },
    });
    expect(answer.status).toBe(200);
  });
});

describe('the message of a refused body', () => {
  const message = (text: string) => `Bad Request: ${text}`;

  it.each([
    '{"__proto__":{"isAdmin":true},"mail":"a@example.com"}',
    '{"a":{"\\u005f_proto__":1}}',
    '{"constructor":{"prototype":{"isAdmin":true}}}',
  ])('names forbidden keys: %s', async (body) => {
    const text = 'the body must not have the key __proto__, nor prototype in constructor';
    expectRefusal(await app.client.post('/v1/user/register', body), 400, 1001, message(text));
  });

  it('names broken JSON as such', async () => {
    const broken = await app.client.post('/v1/user/register', '{"__proto__":');
    expectRefusal(broken, 400, 1001, message('the body is not valid JSON'));
  });

  it.each([
    ['name', 'Ann\u0000'],
    ['name', '\u0007'],
    ['name', 'a\u2028b'],
    ['mail', 'a\u0000nn@example.com'],
    ['user_id', 'a\nnn'],
    ['app_id', 'plu\tto'],
  ])('names control characters in %s', async (field, value) => {
    const answer = await app.client.post('/v1/user/register', { ...registration(), [field]: value });
    expectRefusal(answer, 400, 1001, message(`${field} must be free of control characters`));
  });

  it.each([
    [
      'name',
      `\u0000${'a'.repeat(61)}`,
      '1 to 60 characters without control characters, not all of them invisible',
    ],
    ['user_id', 'a\nb c', '1 to 100 characters of A-Z a-z 0-9 _ -'],
    ['password', 'a\u0000', 'at least 8 characters and at most 1024 bytes long'],
  ])('says what %s must be if that is not the only fault', async (field, value, mustBe) => {
    const answer = await app.client.post('/v1/user/register', { ...registration(), [field]: value });
    expectRefusal(answer, 400, 1001, message(`${field} must be ${mustBe}`));
  });

  it.each([
    ['POST', '/v1/rbac/application/update-i18n-name', 'i18n_names', 'a list of names'],
    ['PUT', '/v1/rbac/role/scope', 'scopes', 'a list of at most 1000 items, each a positive 32-bit integer'],
    [
      'PUT',
      '/v1/rbac/application/settings',
      'redirect_urls',
      expect.stringMatching(/^Bad Request: redirect_urls must be a list of /),
    ],
  ])('%s %s says that %s must be a list', async (method, path, field, mustBe) => {
    const admin = await firstAdministrator(app);
    const expected = typeof mustBe === 'string' ? message(`${field} must be ${mustBe}`) : (mustBe as unknown);
    for (const value of [{}, { 0: 'a' }, 'text', 1, true]) {
      const body = { app_id: 1, role_id: 1, [field]: value };
      expectRefusal(await admin.request(method, path, { body }), 400, 1001, expected);
    }
  });
});

describe('the method QUERY', () => {
  it.each([
    ['', ''],
    ['Content-Type: application/json\r\n', '{}'],
    ['Content-Type: text/plain\r\n', 'a'],
  ])('is refused with 405 and Allow, with the head %j', async (head, body) => {
    const ask = (path: string) =>
      sendRaw(app, `QUERY ${path} HTTP/1.1\r\n${CLOSE}${head}Content-Length: ${body.length}\r\n\r\n${body}`);
    expect(await ask('/v1/user/info')).toMatch(
      /^HTTP\/1\.1 405 .*\r\nallow: GET, HEAD, PUT\r\n.*"code":1009/s,
    );
    expect(await ask('/v1/nothing')).toMatch(/^HTTP\/1\.1 404 .*"code":1005/s);
  });
});

describe('a path or method that does not exist', () => {
  it.each(['text/plain', 'nonsense', 'application/x-www-form-urlencoded', 'application/json'])(
    'is reported as such, whatever the body is: %s',
    async (type) => {
      const options = { headers: { 'content-type': type } };
      expectFailure(await app.client.post('/v1/nothing', '{', options), 404, 1005);
      expectFailure(await app.client.post('/v1/healthcheck', '{', options), 405, 1009);
    },
  );
});

describe('a head that Node would answer itself', () => {
  it('is 1001 without Host', async () => {
    const answer = await sendRaw(app, 'GET /v1/healthcheck HTTP/1.1\r\nConnection: close\r\n\r\n');
    expect(answer).toMatch(
      /^HTTP\/1\.1 400 .*"code":1001,"message":"Bad Request: the header Host is required"/s,
    );
    expect(answer).not.toMatch(LIBRARY_TEXT);
  });

  it('needs no Host in HTTP/1.0', async () => {
    const answer = await sendRaw(app, 'GET /v1/healthcheck HTTP/1.0\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  it.each(['x', '200-ok', '100-continued'])('is 417 in the envelope with Expect: %s', async (expected) => {
    const answer = await sendRaw(
      app,
      `POST /v1/user/register HTTP/1.1\r\nHost: x\r\nExpect: ${expected}\r\nContent-Length: 2\r\n\r\n{}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 417 .*\r\nx-request-id: [0-9a-f-]{36}\r\n.*"code":1001/s);
    expect(answer).not.toMatch(LIBRARY_TEXT);
  });

  it('is answered as usual with Expect: 100-continue', async () => {
    const answer = await sendRaw(
      app,
      `POST /v1/user/register HTTP/1.1\r\n${CLOSE}Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 400 .*"code":1001/s);
  });
});

describe('a body that is not UTF-8', () => {
  const latin1 = (text: string, type: string, path = '/v1/user/login/account') =>
    app.client.request('POST', path, {
      headers: { 'content-type': type },
      body: Buffer.from(text, 'latin1'),
    });
  const login = (password: string) => JSON.stringify({ account: 'ann', password, app_id: 'pluto' });

  it.each([
    ['a byte of Latin-1', login('pass\u00ffword')],
    ['a lone continuation byte', login('pass\u0080word')],
    ['an overlong slash', login('pass\u00c0\u00afword')],
    ['half a surrogate pair', login('pass\u00ed\u00a0\u0080word')],
  ])('is refused as JSON: %s', async (_what, text) => {
    const answer = await latin1(text, 'application/json');
    expectRefusal(answer, 400, 1001, 'Bad Request: the body must be UTF-8');
  });

  it.each([
    ['a byte', 'grant_type=password&password=pass\u00ffword'],
    ['an encoded byte', 'grant_type=password&password=pass%FFword'],
    ['an encoded overlong slash', 'grant_type=password&password=pass%c0%afword'],
  ])('is refused as a form: %s', async (_what, text) => {
    const answer = await latin1(text, 'application/x-www-form-urlencoded', '/v1/oauth/tokens');
    expectRefusal(answer, 400, 1001, 'Bad Request: the body must be UTF-8');
  });

  it('matches no password that has the replacement character there', async () => {
    const password = 'pass\ufffdword of Ann';
    const { user_id: account } = await addAccount(app, { password });
    const attempt = (typed: string) => JSON.stringify({ account, password: typed, app_id: 'pluto' });
    const wrong = await latin1(attempt('pass\u00ffword of Ann'), 'application/json');
    expectRefusal(wrong, 400, 1001, 'Bad Request: the body must be UTF-8');
    const right = await app.client.post('/v1/user/login/account', attempt(password));
    expect(right.status).toBe(200);
  });

  it.each(['/web/login', '/web/password/forgot'])('is refused as the form of a page: %s', async (path) => {
    for (const text of ['account=ann&password=pass%FFword', 'account=ann&password=pass\u00ffword']) {
      const answer = await latin1(text, 'application/x-www-form-urlencoded', path);
      expectRefusal(answer, 400, 1001, 'Bad Request: the body must be UTF-8');
    }
    const answer = await latin1('account=ann', 'application/x-www-form-urlencoded; charset=gbk', path);
    expectRefusal(answer, 415, 1008, 'Unsupported content type: the charset must be UTF-8');
  });

  it.each([
    ...['utf-16', 'UTF-16LE', 'utf-32', 'utf-7', 'iso-8859-1', '"latin1"', 'utf-8-bom', 'utf', ''],
    ...['utf-8; charset=utf-16', '"utf-8" ; charset = gbk'],
  ])('is refused when it says so: %j', async (charset) => {
    const answer = await latin1(login('password'), `application/json; charset=${charset}`);
    expectRefusal(answer, 415, 1008, 'Unsupported content type: the charset must be UTF-8');
  });

  it.each(['utf-8', 'UTF8', '"utf-8"', ' utf-8 ; x=y', 'us-ascii'])(
    'is accepted when it only may be otherwise: %j',
    async (charset) => {
      expectRefusal(await latin1(login('password'), `application/json; charset=${charset}`), 403, 3001);
    },
  );
});

describe('the header Host', () => {
  const ask = (head: string) =>
    sendRaw(app, `GET /v1/healthcheck HTTP/1.1\r\nConnection: close\r\n${head}\r\n`);

  it.each([
    'Host: x\r\nhost: y\r\n',
    'Host: x\r\nHost: x\r\n',
    'HOST: x\r\nX-Other: y\r\nHost:\r\n',
    'Host: x\r\nHost: y\r\nHost: z\r\n',
  ])('is refused with 1001 more than once: %j', async (head) => {
    expect(await ask(head)).toMatch(/^HTTP\/1\.1 400 .*"code":1001,.*the header Host must not be repeated/s);
  });

  it.each([
    'x, y',
    'x y',
    'x/y',
    'user@x',
    'x:y',
    'x:80:80',
    '[::1',
    'x?y',
    'x#y',
    'x\\y',
    'http://x',
    'ü.example',
  ])('is refused with 1001 if it is no host: %j', async (host) => {
    expect(await ask(`Host: ${host}\r\n`)).toMatch(
      /^HTTP\/1\.1 400 .*"code":1001,.*the header Host must be a host, or a host and a port/s,
    );
  });

  it.each([
    '',
    'x',
    'x:',
    'accounts.example.com:8443',
    '127.0.0.1:8010',
    '[::1]:8010',
    'xn--bcher-kva.example',
    'a_b',
  ])('is accepted as a host and a port: %j', async (host) => {
    expect(await ask(`Host: ${host}\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
  });
});
