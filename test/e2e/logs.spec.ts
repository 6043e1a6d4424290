import { createLog } from '../../src/common/logging.js';
import { InFlightRequests } from '../../src/common/http/in-flight-requests.js';
import { ADMIN, startTestApp, type TestApp } from '../support/app.js';
import { login } from '../support/accounts.js';
import { linesOf, logLines } from '../support/raw-http.js';

let app: TestApp;
beforeAll(async () => (app = await startTestApp({ env: { TRUST_PROXY: '127.0.0.1' } })));
afterAll(() => app.close());

const PROBES = ['/health/live', '/health/ready', '/v1/healthcheck'];
const requestLines = () => logLines(app).filter(({ msg }) => msg === 'request');

describe('a line of the log', () => {
  it.each([
    ['fatal', 'fatal'],
    ['error', 'error'],
    ['warn', 'warn'],
    ['info', 'info'],
    ['debug', 'debug'],
    ['trace', 'trace'],
  ] as const)('has the level %s as a word, and the time in ISO 8601', (level, word) => {
    let text = '';
    createLog('trace', 'json', { write: (line) => (text += line) })[level]('hello');
    expect(JSON.parse(text)).toMatchObject({
      level: word,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      msg: 'hello',
    });
  });

  it('names the caller and the application of a login, and of a token', async () => {
    const { access_token: token } = await login(app, ADMIN);
    const signIn = requestLines().find(({ route }) => route === '/v1/user/login/account');
    expect(signIn).toMatchObject({ level: 'info', address: '127.0.0.1', application: 'pluto' });
    const headers = { 'x-forwarded-for': '203.0.113.9' };
    const answer = await app.client.get('/v1/user/info', { token, headers });
    const [line] = await linesOf(app, answer.headers.get('x-request-id'));
    expect(line).toMatchObject({ address: '203.0.113.9', application: 'pluto', status: 200 });
  });

  it.each([[7], [''], ['a\nb'], ['x'.repeat(101)], [{ name: 'pluto' }], [null]])(
    'names no application that is %j',
    async (app_id) => {
      const answer = await app.client.post('/v1/user/login/account', { account: 'a', password: 'b', app_id });
      const lines = await linesOf(app, answer.headers.get('x-request-id'));
      expect(lines.at(-1)).not.toHaveProperty('application');
    },
  );
});

describe('probes', () => {
  it('are not logged at info', async () => {
    const before = logLines(app).length;
    for (const path of PROBES) expect((await app.client.get(path)).status).toBe(200);
    const answer = await app.client.get('/.well-known/jwks.json');
    await linesOf(app, answer.headers.get('x-request-id'));
    expect(
      logLines(app)
        .slice(before)
        .map(({ route }) => route),
    ).toEqual(['/.well-known/jwks.json']);
  });

  it('that find the database silent are one warning without a stack', async () => {
    const query = jest.spyOn(app.dataSource, 'query').mockRejectedValue(new Error('no answer'));
    const before = logLines(app).length;
    for (const path of ['/health/ready', '/v1/healthcheck'])
      expect((await app.client.get(path)).status).toBe(503);
    query.mockRestore();
    const lines = logLines(app).slice(before);
    expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
      ['warn', 'not ready'],
      ['warn', 'not ready'],
    ]);
    expect(JSON.stringify(lines)).not.toContain('stack');
  });

  it('while the server drains are answered 503 and log nothing', async () => {
    const own = await startTestApp();
    try {
      own.app.get(InFlightRequests).drain();
      const before = own.log();
      expect((await own.client.get('/health/ready')).status).toBe(503);
      expect((await own.client.get('/health/live')).status).toBe(200);
      expect(own.log()).toBe(before);
    } finally {
      await own.close();
    }
  });
});
