import { request } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { addAccount, login, signedIn } from '../support/accounts.js';
import { firstAdministrator } from '../support/administration.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication } from '../support/applications.js';
import { addUsers } from '../support/users.js';

// `fetch` decompresses by itself, so these requests are made with Node's own client.

let app: TestApp;
let token: string;
let administrator: string;
beforeAll(async () => {
  app = await startTestApp();
  ({ token } = await signedIn(app));
  administrator = (await firstAdministrator(app)).token;
  await addUsers(app, 100, (number) => ({ name: `Many ${number}`, handle: `many${number}` }));
  for (let number = 0; number < 40; number++)
    await addApplication(app, { name: `org.example.application-number-${number}` });
});
afterAll(() => app.close());

interface RawAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request(app.url + path, { method, headers, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () =>
        resolve({ status: answer.statusCode!, headers: answer.headers, body: Buffer.concat(chunks) }),
      );
    });
    asked.on('error', reject).end();
  });
}

const bearer = (value: string) => ({ authorization: `Bearer ${value}` });
const decode = { br: brotliDecompressSync, gzip: gunzipSync };

describe('an answer of more than 1 KiB', () => {
  const paths: [string, () => Record<string, string>][] = [
    ['/openapi.json', () => ({})],
    ['/docs', () => ({})],
    ['/docs/swagger-ui-bundle.js', () => ({})],
    ['/web/assets/pico.min.css', () => ({})],
    ['/v1/rbac/application/list', () => ({})],
    ['/v1/user/search?name=many&limit=100', () => bearer(administrator)],
  ];

  describe.each(paths)('of %s', (path, headersOf) => {
    it.each(['br', 'gzip'] as const)('is compressed with %s for clients that accept it', async (coding) => {
      const plain = await get(path, headersOf());
      expect([plain.status, plain.headers['content-encoding']]).toEqual([200, undefined]);
      expect(plain.body.length).toBeGreaterThan(1024);
      const small = await get(path, { ...headersOf(), 'accept-encoding': coding });
      expect(small.headers).toMatchObject({
        'content-encoding': coding,
        vary: expect.stringMatching(/accept-encoding/i),
        'content-type': plain.headers['content-type'],
      });
      expect(small.body.length).toBeLessThan(plain.body.length);
      expect(decode[coding](small.body).equals(plain.body)).toBe(true);
    });

    it.each(['identity', 'gzip;q=0, br;q=0', ''])(
      'is sent as it is with Accept-Encoding: %s',
      async (accepted) => {
        const { status, headers } = await get(path, { ...headersOf(), 'accept-encoding': accepted });
        expect([status, headers['content-encoding']]).toEqual([200, undefined]);
      },
    );
  });

  it('is not sent again while unchanged, compressed or not', async () => {
    const { headers } = await get('/openapi.json', { 'accept-encoding': 'gzip' });
    const etag = String(headers.etag);
    for (const accepted of ['gzip', 'identity'])
      for (const method of ['GET', 'HEAD']) {
        const known = { 'if-none-match': etag, 'accept-encoding': accepted };
        const again = await get('/openapi.json', known, method);
        expect([again.status, again.headers.etag, again.body.length]).toEqual([304, etag, 0]);
      }
  });
});

describe('what is never compressed', () => {
  const everything = { 'accept-encoding': 'br, gzip' };

  it.each(['/web/login', '/web/password/forgot', '/web/password/reset/unknown-token', '/web/nothing'])(
    'is a page, which may hold a page token: %s',
    async (path) => {
      const { headers, body } = await get(path, { ...everything, accept: 'text/html' });
      expect(body.length).toBeGreaterThan(1024);
      expect([headers['content-encoding'], headers.vary]).toEqual([undefined, undefined]);
    },
  );

  it('is an answer with tokens, or one that is asked for all the time', async () => {
    const account = await addAccount(app);
    const accepting = (path: string) => get(path, { ...everything, ...bearer(token) });
    for (const path of ['/v1/user/info', `/v1/token/access/verify?token=${token}`, '/v1/healthcheck'])
      expect((await accepting(path)).headers['content-encoding']).toBeUndefined();
    const { access_token } = await login(app, account);
    expect(access_token).toMatch(/^ey/);
    const answer = await app.client.post('/v1/user/login/account', { ...account, account: account.mail });
    expect([answer.status, answer.headers.get('content-encoding')]).toEqual([200, null]);
  });

  it('is a small answer', async () => {
    const { headers } = await get('/v1/token/publickey', everything);
    expect([headers['content-encoding'], headers['content-type']]).toEqual([
      undefined,
      'application/json; charset=utf-8',
    ]);
  });
});
