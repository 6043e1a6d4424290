import { setTimeout as sleep } from 'node:timers/promises';
import { login, registration, signedIn } from '../support/accounts.js';
import { ADMIN, startTestApp, type TestApp } from '../support/app.js';
import { RawSocket, type Conversation } from './support/raw-socket.js';

const KIB = 1024;
const TIMEOUT_MS = 30_000;

let app: TestApp;
beforeAll(async () => (app = await startTestApp()));
afterAll(() => app.close());

function bodyOf({ answer }: Conversation): unknown {
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));
}

describe('a slow client', () => {
  it('gets 408 in the envelope after 30 s, and delays no other client', async () => {
    const head = 'POST /v1/user/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
    const silent = new RawSocket(app.url);
    const slowHead = new RawSocket(app.url);
    slowHead.write(head);
    slowHead.drip('X-Filler: 1\r\n', 1000);
    const slowBody = new RawSocket(app.url);
    slowBody.write(`${head}Content-Length: 500\r\n\r\n{`);
    slowBody.drip(' ', 1000);
    const slowChunks = new RawSocket(app.url);
    slowChunks.write(`${head}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`);
    slowChunks.drip('1\r\n \r\n', 1000);

    const pulse = setInterval(() => void app.client.get('/health/live'), 500);
    const all = [silent, slowHead, slowBody, slowChunks].map(({ ended }) => ended);
    const first = Promise.race([
      login(app, ADMIN).then(() => 'the login'),
      ...all.map((one) => one.then(() => 'the slow')),
    ]);
    expect(await first).toBe('the login');
    const ends = await Promise.all(all);
    clearInterval(pulse);

    for (const end of ends) {
      expect(end.endedAfterMs).toBeGreaterThan(TIMEOUT_MS - 500);
      expect(end.answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
      expect(end.answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
      expect(end.answer).toMatch(/\r\nConnection: close\r\n/);
      expect(bodyOf(end)).toEqual({ status: 'error', error: { code: 1011, message: expect.any(String) } });
    }
    // The server learns last that the body it was reading has broken off.
    await sleep(1000);
    expect(app.log()).not.toMatch(/"level":"(error|fatal)"/);
  });
});

describe('a chunked body without Content-Length', () => {
  /** Sends a JSON body of so many bytes in chunks of 16 KiB. */
  async function sendChunks(start: string, size: number, token = ''): Promise<Conversation> {
    const body = `{"filler":"${'x'.repeat(size - 13)}"}`;
    const socket = new RawSocket(app.url);
    socket.write(
      `${start} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n`,
    );
    socket.write(`Authorization: Bearer ${token}\r\nConnection: close\r\n\r\n`);
    for (let at = 0; at < body.length; at += 16 * KIB) {
      const chunk = body.slice(at, at + 16 * KIB);
      socket.write(`${chunk.length.toString(16)}\r\n${chunk}\r\n`);
    }
    socket.write('0\r\n\r\n');
    return socket.ended;
  }

  it('may have at most 64 KiB', async () => {
    const fitting = await sendChunks('POST /v1/user/register', 64 * KIB);
    expect(fitting.answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(bodyOf(fitting)).toMatchObject({ error: { code: 1001 } });
    const larger = await sendChunks('POST /v1/user/register', 64 * KIB + 1);
    expect(larger.answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(bodyOf(larger)).toMatchObject({ status: 'error', error: { code: 1007 } });
  });

  it('may have at most 3 MiB where a picture is allowed', async () => {
    const { token } = await signedIn(app);
    const fitting = await sendChunks('PUT /v1/user/info', 3 * KIB * KIB, token);
    expect(fitting.answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(bodyOf(fitting)).toMatchObject({ error: { code: 1001 } });
    const larger = await sendChunks('PUT /v1/user/info', 3 * KIB * KIB + 1, token);
    expect(larger.answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(bodyOf(larger)).toMatchObject({ status: 'error', error: { code: 1007 } });
  });

  it('is counted without buffering: an endless body is stopped at the limit', async () => {
    const socket = new RawSocket(app.url);
    socket.write(
      'POST /v1/user/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n' +
        'Transfer-Encoding: chunked\r\n\r\n',
    );
    const chunk = `${(16 * KIB).toString(16)}\r\n${'x'.repeat(16 * KIB)}\r\n`;
    let sent = 0;
    const timer = setInterval(() => {
      socket.write(chunk);
      sent++;
    }, 5);
    const end = await socket.ended.finally(() => clearInterval(timer));
    expect(end.answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(sent).toBeLessThan(2000);
    expect((await app.client.post('/v1/user/register', registration())).status).toBe(200);
  });
});
